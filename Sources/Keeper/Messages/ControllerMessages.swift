package import Mesh

/// From the controller to the keeper: which pods of this node are to be captured. The worker has no say in it.
package enum ControllerToKeeper: KeeperMessage {
    /// Capture this pod, or capture it otherwise than it was said before.
    case podWanted(PodWish)
    case podUnwanted(WorkloadUID)
    /// Every pod that is wanted has been told of: what an earlier controller wanted and this one did not name is
    /// not wanted any more.
    case podsComplete
    /// The answer to `KeeperToController.podQuestion`.
    case podVerdict(PodVerdict)

    package var descriptorCount: Int { 0 }

    /// Reads the fields of `kind`.
    /// - Throws: `malformedMessage` for a kind of another direction, or a field out of its limits.
    package init(kind: UInt8, reader: inout MessageReader) throws(KeeperError) {
        switch kind {
        case MessageKind.podWanted: self = .podWanted(try PodWish(reader: &reader))
        case MessageKind.podUnwanted: self = .podUnwanted(try reader.uid())
        case MessageKind.podsComplete: self = .podsComplete
        case MessageKind.podVerdict: self = .podVerdict(try PodVerdict(reader: &reader))
        default: throw .malformed("kind \(kind) from the controller to the keeper")
        }
    }

    package func write(to writer: inout MessageWriter) throws(KeeperError) {
        switch self {
        case .podWanted(let wish):
            writer.begin(MessageKind.podWanted)
            try wish.write(to: &writer)
        case .podUnwanted(let uid):
            writer.begin(MessageKind.podUnwanted)
            try writer.uid(uid)
        case .podsComplete: writer.begin(MessageKind.podsComplete)
        case .podVerdict(let verdict):
            writer.begin(MessageKind.podVerdict)
            try verdict.write(to: &writer)
        }
    }
}

/// Whether a pod that just starts is to be captured.
package struct PodVerdict: Hashable, Sendable {
    /// What the controller knows of the pod.
    package enum Outcome: Hashable, Sendable {
        /// Capture it so; the addresses may be missing, since the pod has just been given them.
        case capture(PodWish)
        /// It is not enrolled; why, for people.
        case leave(reason: String)
        /// The controller does not know the pod, or does not know yet; why, for people.
        case unknown(reason: String)
    }

    /// The number of the question.
    package var id: UInt64
    /// What the controller knows of the pod.
    package var outcome: Outcome

    package init(id: UInt64, outcome: Outcome) {
        self.id = id
        self.outcome = outcome
    }

    init(reader: inout MessageReader) throws(KeeperError) {
        id = try reader.number(UInt64.self)
        switch try reader.number(UInt8.self) {
        case 1: outcome = .capture(try PodWish(reader: &reader, needsAddress: false))
        case 2: outcome = .leave(reason: try reader.text(limit: MessageLimits.detail))
        case 3: outcome = .unknown(reason: try reader.text(limit: MessageLimits.detail))
        case let other: throw .malformed("verdict \(other)")
        }
    }

    func write(to writer: inout MessageWriter) throws(KeeperError) {
        writer.number(id)
        switch outcome {
        case .capture(let wish):
            writer.number(UInt8(1))
            try wish.write(to: &writer, needsAddress: false)
        case .leave(let reason):
            writer.number(UInt8(2))
            try writer.shortened(reason, limit: MessageLimits.detail)
        case .unknown(let reason):
            writer.number(UInt8(3))
            try writer.shortened(reason, limit: MessageLimits.detail)
        }
    }
}
