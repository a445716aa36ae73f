package import Mesh

/// How far a pod's capture is.
package enum PodState: UInt8, Hashable, Sendable {
    /// Not captured yet, with the reason; it is tried again.
    case pending = 1
    case captured = 2
    /// The last attempt failed, with the reason; it is tried again.
    case failed = 3
    /// No longer captured.
    case withdrawn = 4
}

/// What the keeper tells of one pod.
package struct PodReport: Hashable, Sendable {
    /// The pod.
    package var uid: WorkloadUID
    /// How far its capture is.
    package var state: PodState
    /// Why, for people; cut to 200 bytes on its way.
    package var detail: String
    /// Connections that the pod had before it was captured and still has: they stay plaintext.
    package var uncapturedConnections: UInt32
    /// How often its rules were found changed and set right.
    package var repairs: UInt32
    /// The first of the uncaptured connections; at most `MessageLimits.reportedConnections`.
    package var earlierConnections: [ConnectionEnds]

    package init(
        uid: WorkloadUID, state: PodState, detail: String = "", uncapturedConnections: UInt32 = 0, repairs: UInt32 = 0,
        earlierConnections: [ConnectionEnds] = []
    ) {
        self.uid = uid
        self.state = state
        self.detail = detail
        self.uncapturedConnections = uncapturedConnections
        self.repairs = repairs
        self.earlierConnections = earlierConnections
    }

    init(reader: inout MessageReader) throws(KeeperError) {
        uid = try reader.uid()
        guard let state = PodState(rawValue: try reader.number(UInt8.self)) else { throw .malformed("a pod's state") }
        self.state = state
        detail = try reader.text(limit: MessageLimits.detail)
        uncapturedConnections = try reader.number(UInt32.self)
        repairs = try reader.number(UInt32.self)
        earlierConnections = try reader.list(limit: MessageLimits.reportedConnections) { reader throws(KeeperError) in
            try ConnectionEnds(reader: &reader)
        }
    }

    func write(to writer: inout MessageWriter) throws(KeeperError) {
        try writer.uid(uid)
        writer.number(state.rawValue)
        try writer.shortened(detail, limit: MessageLimits.detail)
        writer.number(uncapturedConnections)
        writer.number(repairs)
        try writer.list(earlierConnections, limit: MessageLimits.reportedConnections) { writer, ends in
            ends.write(to: &writer)
        }
    }
}
