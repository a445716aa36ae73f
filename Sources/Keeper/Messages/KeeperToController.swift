/// From the keeper to the controller: what it has to decide.
package enum KeeperToController: KeeperMessage {
    /// Whether this pod is to be captured, and how; answered with `ControllerToKeeper.podVerdict` of the same `id`.
    ///
    /// Namespace and name are 1 through 253 bytes, the uid (that of Kubernetes, possibly empty) at most 253.
    case podQuestion(id: UInt64, namespace: String, name: String, uid: String)

    package var descriptorCount: Int { 0 }

    /// Reads the fields of `kind`.
    /// - Throws: `malformedMessage` for a kind of another direction, or a field out of its limits.
    package init(kind: UInt8, reader: inout MessageReader) throws(KeeperError) {
        guard kind == MessageKind.podQuestion else {
            throw .malformed("kind \(kind) from the keeper to the controller")
        }
        self = .podQuestion(
            id: try reader.number(UInt64.self), namespace: try reader.text(limit: MessageLimits.name),
            name: try reader.text(limit: MessageLimits.name), uid: try reader.text(limit: MessageLimits.name))
        try check()
    }

    package func write(to writer: inout MessageWriter) throws(KeeperError) {
        try check()
        switch self {
        case .podQuestion(let id, let namespace, let name, let uid):
            writer.begin(MessageKind.podQuestion)
            writer.number(id)
            try writer.text(namespace, limit: MessageLimits.name)
            try writer.text(name, limit: MessageLimits.name)
            try writer.text(uid, limit: MessageLimits.name)
        }
    }

    private func check() throws(KeeperError) {
        switch self {
        case .podQuestion(_, let namespace, let name, _):
            guard !namespace.isEmpty, !name.isEmpty else { throw .malformed("a question about no pod") }
        }
    }
}
