package import Mesh

/// How far an agent that just started is with succeeding the one that runs.
///
///     greeting ─ welcomed > claiming ─ agentArrived > receiving ─ completed > adopting ─ workerReady > serving
///        │                     │                          │                      │                        │ yielded
///        └── connectionEnded ──┴──────────────────────────┘                      │ connectionEnded        v
///            (start anew)                                                        └──────────────────> in charge
package struct HandoverTaker: ~Copyable {
    private enum State {
        case greeting
        case claiming
        case receiving(podCount: UInt32, earlier: Earlier?)
        case adopting
        case serving
        case inCharge
        case ended
    }

    /// Connections that wait for their pod.
    private struct Earlier {
        let uid: WorkloadUID
        var count: UInt32
    }

    private var state = State.greeting
    /// How the sockets of this agent are told, and by which level of cgroups.
    private let exemption: ExemptionMode

    /// - Parameter exemption: how this agent's sockets will be told from those of pods.
    package init(exemption: ExemptionMode) {
        self.exemption = exemption
    }

    /// What an input asks for.
    package enum Action: Equatable, Sendable {
        /// Go on receiving.
        case none
        /// Enter a cgroup at this level, then claim everything.
        case claim(level: UInt32)
        /// All is there: adopt it and start the children.
        case adopt
        /// Say that this agent serves.
        case sayServing
        /// It is this agent's alone now.
        case takeCharge
        /// The other is gone before it left anything, so drop what came and start without it.
        case startAnew
        /// The other goes on: end, and touch nothing.
        case giveUp(reason: String)
    }

    /// Whether this agent alone may change rules, files and listeners.
    package var isInCharge: Bool {
        if case .inCharge = state { return true }
        return false
    }

    /// The other says who it is.
    package mutating func welcomed(layout: UInt16, exemption other: ExemptionMode, level: UInt32) -> Action {
        guard case .greeting = state else { return giveUp("it said twice who it is") }
        guard layout == HandoverLayout.current else { return giveUp(Self.foreignLayout(layout)) }
        guard other == exemption else {
            return giveUp(
                other == .cgroup
                    ? "it is told by its cgroup, and this one has none"
                    : "it is told by its mark only, and this one by its cgroup: stop it first")
        }
        state = .claiming
        return .claim(level: level)
    }

    /// The other says no.
    package mutating func refused(layout: UInt16, _ refusal: HandoverRefusal) -> Action {
        guard case .greeting = state else { return giveUp("it changed its mind") }
        switch refusal {
        case .layout: return giveUp(Self.foreignLayout(layout))
        case .busy: return giveUp("it hands over to another agent, or is only taking over itself")
        case .foreign: return giveUp("it hands over to user 0 only")
        }
    }

    /// Lock, listeners and state are there.
    package mutating func agentArrived() -> Action {
        guard case .claiming = state else { return giveUp("its messages come out of order") }
        state = .receiving(podCount: 0, earlier: nil)
        return .none
    }

    /// Connections of the pod that comes next.
    package mutating func earlierArrived(of uid: WorkloadUID, count: Int) -> Action {
        guard case .receiving(let podCount, var earlier) = state, earlier == nil || earlier?.uid == uid else {
            return giveUp("its messages come out of order")
        }
        let sum = (earlier?.count ?? 0).addingReportingOverflow(UInt32(clamping: count))
        guard !sum.overflow else { return giveUp("it tells of too many connections") }
        earlier = Earlier(uid: uid, count: sum.partialValue)
        state = .receiving(podCount: podCount, earlier: earlier)
        return .none
    }

    /// One pod is there.
    package mutating func podArrived(_ pod: InheritedPod) -> Action {
        guard case .receiving(let podCount, let earlier) = state,
            earlier.map({ $0.uid == pod.wish.uid }) ?? true, earlier?.count ?? 0 == pod.earlierCount,
            podCount < .max
        else { return giveUp("its messages come out of order") }
        state = .receiving(podCount: podCount + 1, earlier: nil)
        return .none
    }

    /// The other has told everything.
    package mutating func completed(podCount: UInt32) -> Action {
        guard case .receiving(podCount, nil) = state else { return giveUp("it did not tell of all of its pods") }
        state = .adopting
        return .adopt
    }

    /// This agent's worker serves.
    package mutating func workerReady() -> Action {
        guard case .adopting = state else { return .none }
        state = .serving
        return .sayServing
    }

    /// The other touches nothing any more.
    package mutating func yielded() -> Action {
        guard case .serving = state else { return giveUp("it yields before it was asked to") }
        state = .inCharge
        return .takeCharge
    }

    /// The other takes it back.
    package mutating func aborted() -> Action {
        switch state {
        // What it said before is for good.
        case .inCharge, .ended: return .none
        case .greeting, .claiming, .receiving, .adopting, .serving: return giveUp("it took the hand-over back")
        }
    }

    /// The connection ended without another word: the other is gone.
    package mutating func connectionEnded() -> Action {
        switch state {
        case .greeting, .claiming, .receiving:
            state = .ended
            return .startAnew
        case .adopting, .serving:
            state = .inCharge
            return .takeCharge
        case .inCharge, .ended: return .none
        }
    }

    private mutating func giveUp(_ reason: String) -> Action {
        if case .inCharge = state { return .none }
        state = .ended
        return .giveUp(reason: reason)
    }

    private static func foreignLayout(_ layout: UInt16) -> String {
        let age = layout < HandoverLayout.current ? "an older" : "a newer"
        return
            "it is \(age) agent that hands over in layout \(layout), this one understands \(HandoverLayout.current): "
            + "stop it first"
    }
}
