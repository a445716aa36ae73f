package import Mesh

/// From the controller to the keeper: which pods of this node are to be captured. The worker has no say in it.
package enum ControllerToKeeper: KeeperMessage {
    /// Capture this pod, or capture it otherwise than it was said before.
    case podWanted(PodWish)
    case podUnwanted(WorkloadUID)
    /// Every pod that is wanted has been told of: what an earlier controller wanted and this one did not name is
    /// not wanted any more.
    case podsComplete

    package var descriptorCount: Int { 0 }

    /// Reads the fields of `kind`.
    /// - Throws: `malformedMessage` for a kind of another direction, or a field out of its limits.
    package init(kind: UInt8, reader: inout MessageReader) throws(KeeperError) {
        switch kind {
        case MessageKind.podWanted: self = .podWanted(try PodWish(reader: &reader))
        case MessageKind.podUnwanted: self = .podUnwanted(try reader.uid())
        case MessageKind.podsComplete: self = .podsComplete
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
        }
    }
}
