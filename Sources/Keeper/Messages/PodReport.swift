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

    package init(
        uid: WorkloadUID, state: PodState, detail: String = "", uncapturedConnections: UInt32 = 0, repairs: UInt32 = 0
    ) {
        self.uid = uid
        self.state = state
        self.detail = detail
        self.uncapturedConnections = uncapturedConnections
        self.repairs = repairs
    }

    init(reader: inout MessageReader) throws(KeeperError) {
        uid = try reader.uid()
        guard let state = PodState(rawValue: try reader.number(UInt8.self)) else { throw .malformed("a pod's state") }
        self.state = state
        detail = try reader.text(limit: MessageLimits.detail)
        uncapturedConnections = try reader.number(UInt32.self)
        repairs = try reader.number(UInt32.self)
    }

    func write(to writer: inout MessageWriter) throws(KeeperError) {
        try writer.uid(uid)
        writer.number(state.rawValue)
        try writer.shortened(detail, limit: MessageLimits.detail)
        writer.number(uncapturedConnections)
        writer.number(repairs)
    }
}

/// How the agent's own sockets are told from those of pods.
package enum ExemptionMode: UInt8, Hashable, Sendable {
    case cgroup = 1
    /// Any container with CAP_NET_RAW can forge it.
    case mark = 2
}

/// What the keeper tells of itself.
package struct KeeperFacts: Hashable, Sendable {
    /// How the agent's own sockets are told from those of pods.
    package var exemption: ExemptionMode
    /// The keeper's process.
    package var keeperPID: UInt32
    /// Resident memory of the keeper in bytes.
    package var keeperResidentBytes: UInt64
    /// How often the worker was started again since the keeper was.
    package var workerRestarts: UInt32
    /// How often the controller was started again since the keeper was.
    package var controllerRestarts: UInt32

    package init(
        exemption: ExemptionMode, keeperPID: UInt32, keeperResidentBytes: UInt64, workerRestarts: UInt32,
        controllerRestarts: UInt32
    ) {
        self.exemption = exemption
        self.keeperPID = keeperPID
        self.keeperResidentBytes = keeperResidentBytes
        self.workerRestarts = workerRestarts
        self.controllerRestarts = controllerRestarts
    }

    init(reader: inout MessageReader) throws(KeeperError) {
        guard let mode = ExemptionMode(rawValue: try reader.number(UInt8.self)) else { throw .malformed("exemption") }
        exemption = mode
        keeperPID = try reader.number(UInt32.self)
        keeperResidentBytes = try reader.number(UInt64.self)
        workerRestarts = try reader.number(UInt32.self)
        controllerRestarts = try reader.number(UInt32.self)
    }

    func write(to writer: inout MessageWriter) {
        writer.number(exemption.rawValue)
        writer.number(keeperPID)
        writer.number(keeperResidentBytes)
        writer.number(workerRestarts)
        writer.number(controllerRestarts)
    }
}
