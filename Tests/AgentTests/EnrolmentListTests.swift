import Addressing
import Keeper
import TestSupport
import Testing

@testable import Agent

@Suite struct `The list of pods that the keeper was told` {
    private func wanted(_ name: String, _ address: String, excluding ports: [UInt16] = []) -> ControllerToKeeper {
        .podWanted(PodWish(Samples.pod(name, address, excluding: ports)))
    }

    @Test func `begins with all of them and says when they are complete`() {
        var list = EnrolmentList()
        let steps = list.replace(with: [Samples.pod("b", "10.0.0.2"), Samples.pod("a", "10.0.0.1")])
        #expect(steps.messages == [wanted("a", "10.0.0.1"), wanted("b", "10.0.0.2"), .podsComplete])
        #expect(steps.problems.isEmpty)
    }

    @Test func `is complete without pods, too`() {
        var list = EnrolmentList()
        #expect(list.replace(with: []).messages == [.podsComplete])
        #expect(list.replace(with: []).messages.isEmpty)
    }

    @Test func `says nothing again that did not change`() {
        var list = EnrolmentList()
        let pods = [Samples.pod("a", "10.0.0.1"), Samples.pod("b", "10.0.0.2")]
        _ = list.replace(with: pods)
        #expect(list.replace(with: pods.reversed()) == EnrolmentList.Steps())
    }

    @Test func `says what changed, what is new and what is gone, the last first`() {
        var list = EnrolmentList()
        _ = list.replace(with: [
            Samples.pod("a", "10.0.0.1"), Samples.pod("b", "10.0.0.2"), Samples.pod("c", "10.0.0.3"),
        ])
        let steps = list.replace(with: [
            Samples.pod("a", "10.0.0.1"), Samples.pod("b", "10.0.0.2", excluding: [22]), Samples.pod("d", "10.0.0.3"),
        ])
        // "d" has the address of "c", so "c" must be gone before.
        #expect(
            steps.messages == [
                .podUnwanted(Samples.uid("c")), wanted("b", "10.0.0.2", excluding: [22]), wanted("d", "10.0.0.3"),
            ])
    }

    @Test func `leaves out a pod that is over a limit of the message, and says so`() {
        var list = EnrolmentList()
        let steps = list.replace(with: [
            Samples.pod("a", "10.0.0.1", excluding: Array(1...65)), Samples.pod("b", "10.0.0.2"),
        ])
        #expect(steps.messages == [wanted("b", "10.0.0.2"), .podsComplete])
        #expect(steps.problems.count == 1)
        #expect(steps.problems.first?.hasPrefix("pod shop/a cannot be captured as written") == true)
    }

    @Test func `keeps a pod captured that grows over a limit`() {
        var list = EnrolmentList()
        _ = list.replace(with: [Samples.pod("a", "10.0.0.1")])
        let steps = list.replace(with: [Samples.pod("a", "10.0.0.1", excluding: Array(1...65))])
        #expect(steps.messages.isEmpty)
        #expect(steps.problems.count == 1)
        #expect(list.replace(with: []).messages == [.podUnwanted(Samples.uid("a"))])
    }

    @Test func `says again how a pod is captured that is STRICT from now on`() {
        var list = EnrolmentList()
        var pod = Samples.pod("a", "10.0.0.1")
        _ = list.replace(with: [pod])
        pod.isStrict = true
        let steps = list.replace(with: [pod])
        #expect(steps.messages == [.podWanted(PodWish(pod))])
        #expect(PodWish(pod).options == [.dropsNonTCPInbound, .abortsOldInbound])
        #expect(list.replace(with: [pod]).messages.isEmpty)
    }

    @Test func `excludes outbound ports of both families and prefixes with all ports`() throws {
        var pod = Samples.pod("a", "10.0.0.1")
        pod.excludedOutboundPorts = [5432]
        pod.excludedOutboundPrefixes = [try #require(IPPrefix("10.9.0.0/16"))]
        let wish = PodWish(pod)
        #expect(
            wish.excludedOutbound.map { "\($0.prefix) \($0.ports.lowerBound)-\($0.ports.upperBound)" }
                == ["10.9.0.0/16 0-65535", "0.0.0.0/0 5432-5432", "::/0 5432-5432"])
    }
}
