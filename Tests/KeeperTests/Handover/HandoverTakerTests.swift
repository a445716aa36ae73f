import Keeper
import Mesh
import TestSupport
import Testing

@Suite struct HandoverTakerTests {
    private func pod(_ name: String, earlier: UInt32 = 0) -> InheritedPod {
        InheritedPod(
            wish: PodWish(
                uid: WorkloadUID(name), namespace: "shop", name: name, addresses: [ip("10.201.0.1")]),
            isNamed: true, containerID: "", state: .captured, namespacePath: "/run/netns/a", repairs: 0,
            earlierCount: earlier)
    }

    private func claiming() -> HandoverTaker {
        var taker = HandoverTaker(exemption: .cgroup)
        _ = taker.welcomed(layout: HandoverLayout.current, exemption: .cgroup, level: 3)
        return taker
    }

    private func receiving() -> HandoverTaker {
        var taker = claiming()
        _ = taker.agentArrived()
        return taker
    }

    private func adopting() -> HandoverTaker {
        var taker = receiving()
        _ = taker.completed(podCount: 0)
        return taker
    }

    private func isGivenUp(_ action: HandoverTaker.Action) -> Bool {
        if case .giveUp = action { return true }
        return false
    }

    @Test func `all is claimed, adopted, served, and only then this agent's`() {
        var taker = HandoverTaker(exemption: .cgroup)
        #expect(taker.welcomed(layout: HandoverLayout.current, exemption: .cgroup, level: 3) == .claim(level: 3))
        #expect(taker.agentArrived() == .none)
        #expect(taker.earlierArrived(of: WorkloadUID("a"), count: 128) == .none)
        #expect(taker.earlierArrived(of: WorkloadUID("a"), count: 2) == .none)
        #expect(taker.podArrived(pod("a", earlier: 130)) == .none)
        #expect(taker.podArrived(pod("b")) == .none)
        #expect(taker.completed(podCount: 2) == .adopt)
        #expect(taker.isInCharge == false)
        #expect(taker.workerReady() == .sayServing)
        #expect(taker.workerReady() == .none)
        #expect(taker.isInCharge == false)
        #expect(taker.yielded() == .takeCharge)
        #expect(taker.isInCharge == true)
        #expect(taker.connectionEnded() == .none)
    }

    @Test func `an agent of another layout is named as older or newer`() {
        var older = HandoverTaker(exemption: .cgroup)
        #expect(
            older.refused(layout: 0, .layout)
                == .giveUp(
                    reason: "it is an older agent that hands over in layout 0, this one understands 1: stop it first"))
        var newer = HandoverTaker(exemption: .cgroup)
        #expect(
            newer.welcomed(layout: 9, exemption: .cgroup, level: 3)
                == .giveUp(
                    reason: "it is a newer agent that hands over in layout 9, this one understands 1: stop it first"))
    }

    @Test(arguments: [(ExemptionMode.mark, ExemptionMode.cgroup), (.cgroup, .mark)])
    func `two agents that are told in different ways do not succeed each other`(
        own: ExemptionMode, other: ExemptionMode
    ) {
        var taker = HandoverTaker(exemption: own)
        #expect(isGivenUp(taker.welcomed(layout: HandoverLayout.current, exemption: other, level: 3)))
    }

    @Test func `an agent that is gone before all was told is started without`() {
        var greeting = HandoverTaker(exemption: .cgroup)
        #expect(greeting.connectionEnded() == .startAnew)
        var second = claiming()
        #expect(second.connectionEnded() == .startAnew)
        var third = receiving()
        _ = third.podArrived(pod("a"))
        #expect(third.connectionEnded() == .startAnew)
        #expect(third.connectionEnded() == .none)
    }

    @Test func `an agent that is gone after all was told leaves it to this one`() {
        var taker = adopting()
        #expect(taker.connectionEnded() == .takeCharge)
        #expect(taker.isInCharge == true)
        #expect(taker.workerReady() == .none)
        var serving = adopting()
        _ = serving.workerReady()
        #expect(serving.connectionEnded() == .takeCharge)
    }

    @Test func `a hand-over that is taken back ends this agent, but not once it was yielded to`() {
        var taker = adopting()
        #expect(isGivenUp(taker.aborted()))
        #expect(taker.connectionEnded() == .none)
        var serving = adopting()
        _ = serving.workerReady()
        #expect(isGivenUp(serving.aborted()))
        var charge = adopting()
        _ = charge.workerReady()
        _ = charge.yielded()
        #expect(charge.aborted() == .none)
        #expect(charge.isInCharge == true)
    }

    @Test func `what was not told in full is not adopted`() {
        var fewer = receiving()
        _ = fewer.podArrived(pod("a"))
        #expect(isGivenUp(fewer.completed(podCount: 2)))
        var connections = receiving()
        _ = connections.earlierArrived(of: WorkloadUID("a"), count: 3)
        #expect(isGivenUp(connections.podArrived(pod("a", earlier: 4))))
        var none = receiving()
        #expect(isGivenUp(none.podArrived(pod("a", earlier: 1))))
        var another = receiving()
        _ = another.earlierArrived(of: WorkloadUID("a"), count: 3)
        #expect(isGivenUp(another.podArrived(pod("b", earlier: 3))))
        var open = receiving()
        _ = open.earlierArrived(of: WorkloadUID("a"), count: 3)
        #expect(isGivenUp(open.completed(podCount: 0)))
    }

    @Test func `what comes out of order ends it`() {
        var greeting = HandoverTaker(exemption: .cgroup)
        #expect(isGivenUp(greeting.agentArrived()))
        var second = claiming()
        #expect(isGivenUp(second.podArrived(pod("a"))))
        var third = adopting()
        #expect(isGivenUp(third.yielded()))
        var fourth = claiming()
        #expect(isGivenUp(fourth.welcomed(layout: HandoverLayout.current, exemption: .cgroup, level: 3)))
        var fifth = receiving()
        #expect(fifth.workerReady() == .none)
    }
}
