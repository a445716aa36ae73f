package import Mesh

/// The version of what agents leave to each other. `hello`, `welcome` and `refused` never change, so that two agents
/// that do not understand each other can say so.
package enum HandoverLayout {
    package static let current: UInt16 = 1
}

/// From an agent that just starts to the one that runs.
package enum SuccessorToAgent: KeeperMessage {
    /// Who it is and what it understands.
    case hello(layout: UInt16, pid: UInt32)
    /// Everything is wanted; its own cgroup, 0 where it has none, is to be exempt from now on.
    case claim(cgroupID: UInt64)
    /// Its worker serves: what the other has must no longer be touched by it.
    case serving

    package var descriptorCount: Int { 0 }

    /// Reads the fields of `kind`.
    /// - Throws: `malformedMessage` for a kind of another direction, or a field out of its limits.
    package init(kind: UInt8, reader: inout MessageReader) throws(KeeperError) {
        switch kind {
        case MessageKind.handoverHello:
            self = .hello(layout: try reader.number(UInt16.self), pid: try reader.number(UInt32.self))
        case MessageKind.handoverClaim: self = .claim(cgroupID: try reader.number(UInt64.self))
        case MessageKind.handoverServing: self = .serving
        default: throw .malformed("kind \(kind) from a succeeding agent")
        }
    }

    package func write(to writer: inout MessageWriter) throws(KeeperError) {
        switch self {
        case .hello(let layout, let pid):
            writer.begin(MessageKind.handoverHello)
            writer.number(layout)
            writer.number(pid)
        case .claim(let cgroupID):
            writer.begin(MessageKind.handoverClaim)
            writer.number(cgroupID)
        case .serving: writer.begin(MessageKind.handoverServing)
        }
    }
}

/// Why an agent does not hand over.
package enum HandoverRefusal: UInt8, Hashable, Sendable {
    /// The other's layout is not its own.
    case layout = 1
    /// It hands over to another already, or is only taking over itself.
    case busy = 2
    /// The other is not of user 0.
    case foreign = 3
}

/// From the agent that runs to the one that just starts.
package enum AgentToSuccessor: KeeperMessage {
    /// Who it is, and how its sockets are told; `level` is that of its cgroup, 0 where it has none.
    case welcome(layout: UInt16, pid: UInt32, exemption: ExemptionMode, level: UInt32)
    /// It goes on by itself.
    case refused(layout: UInt16, pid: UInt32, HandoverRefusal)
    /// With its lock, its listeners and the state that its worker left: see `InheritedAgent.descriptorCount`.
    case agent(InheritedAgent)
    /// Connections that the pod of the next `pod` had before its capture; repeated as long as there are more.
    case earlier(WorkloadUID, [ConnectionEnds])
    /// See `InheritedPod.State` for what comes with it.
    case pod(InheritedPod)
    /// All was told: so many pods.
    case complete(podCount: UInt32)
    /// It touches nothing any more; it ends when its worker has.
    case yielded
    /// It goes on by itself: the successor is to end.
    case aborted

    package var descriptorCount: Int {
        switch self {
        case .agent(let agent): agent.descriptorCount
        case .pod(let pod): pod.descriptorCount
        case .welcome, .refused, .earlier, .complete, .yielded, .aborted: 0
        }
    }

    /// Reads the fields of `kind`.
    /// - Throws: `malformedMessage` for a kind of another direction, or a field out of its limits.
    package init(kind: UInt8, reader: inout MessageReader) throws(KeeperError) {
        switch kind {
        case MessageKind.handoverWelcome:
            let layout = try reader.number(UInt16.self)
            let pid = try reader.number(UInt32.self)
            guard let mode = ExemptionMode(rawValue: try reader.number(UInt8.self)) else {
                throw .malformed("exemption")
            }
            self = .welcome(layout: layout, pid: pid, exemption: mode, level: try reader.number(UInt32.self))
        case MessageKind.handoverRefused:
            let layout = try reader.number(UInt16.self)
            let pid = try reader.number(UInt32.self)
            guard let reason = HandoverRefusal(rawValue: try reader.number(UInt8.self)) else {
                throw .malformed("a refusal")
            }
            self = .refused(layout: layout, pid: pid, reason)
        case MessageKind.handoverAgent: self = .agent(try InheritedAgent(reader: &reader))
        case MessageKind.handoverEarlier:
            self = .earlier(
                try reader.uid(),
                try reader.list(limit: MessageLimits.connections) { reader throws(KeeperError) in
                    try ConnectionEnds(reader: &reader)
                })
        case MessageKind.handoverPod: self = .pod(try InheritedPod(reader: &reader))
        case MessageKind.handoverComplete: self = .complete(podCount: try reader.number(UInt32.self))
        case MessageKind.handoverYielded: self = .yielded
        case MessageKind.handoverAborted: self = .aborted
        default: throw .malformed("kind \(kind) from an agent that is succeeded")
        }
    }

    package func write(to writer: inout MessageWriter) throws(KeeperError) {
        switch self {
        case .welcome(let layout, let pid, let mode, let level):
            writer.begin(MessageKind.handoverWelcome)
            writer.number(layout)
            writer.number(pid)
            writer.number(mode.rawValue)
            writer.number(level)
        case .refused(let layout, let pid, let reason):
            writer.begin(MessageKind.handoverRefused)
            writer.number(layout)
            writer.number(pid)
            writer.number(reason.rawValue)
        case .agent(let agent):
            writer.begin(MessageKind.handoverAgent)
            try agent.write(to: &writer)
        case .earlier(let uid, let connections):
            writer.begin(MessageKind.handoverEarlier)
            try writer.uid(uid)
            try writer.list(connections, limit: MessageLimits.connections) { writer, ends in ends.write(to: &writer) }
        case .pod(let pod):
            writer.begin(MessageKind.handoverPod)
            try pod.write(to: &writer)
        case .complete(let count):
            writer.begin(MessageKind.handoverComplete)
            writer.number(count)
        case .yielded: writer.begin(MessageKind.handoverYielded)
        case .aborted: writer.begin(MessageKind.handoverAborted)
        }
    }
}
