/// What the keeper tells of itself.
package struct KeeperFacts: Hashable, Sendable {
    /// How the agent's own sockets are told from those of pods.
    package var exemption: ExemptionMode
    /// The keeper's process.
    package var keeperPID: UInt32
    /// Resident memory of the keeper in bytes.
    package var keeperResidentBytes: UInt64
    /// How often the worker was started again since the first keeper was.
    package var workerRestarts: UInt32
    /// How often the controller was started again since the first keeper was.
    package var controllerRestarts: UInt32
    /// How the worker is.
    package var worker = ChildFacts()
    /// How the controller is.
    package var controller = ChildFacts()
    /// Whether this agent takes over or hands over.
    package var handover = HandoverFacts.none
    /// The other agent's process while both run; 0: none.
    package var otherAgentPID: UInt32 = 0
    /// What was counted; handed on from agent to agent. Its restarts are those above.
    package var counters = KeeperCounters()
    /// Pods whose un-enrolment waits for its turn.
    package var waitingUnenrolments: UInt32 = 0
    /// Connections from before their pods' capture that are still open: plaintext.
    package var earlierConnections: UInt32 = 0
    /// Size in bytes of what the last worker left for the next; 0: nothing.
    package var stateBytes: UInt64 = 0

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
        worker = try ChildFacts(reader: &reader)
        controller = try ChildFacts(reader: &reader)
        guard let handover = HandoverFacts(rawValue: try reader.number(UInt8.self)) else {
            throw .malformed("hand-over")
        }
        self.handover = handover
        otherAgentPID = try reader.number(UInt32.self)
        counters = try KeeperCounters(reader: &reader)
        waitingUnenrolments = try reader.number(UInt32.self)
        earlierConnections = try reader.number(UInt32.self)
        stateBytes = try reader.number(UInt64.self)
    }

    func write(to writer: inout MessageWriter) throws(KeeperError) {
        writer.number(exemption.rawValue)
        writer.number(keeperPID)
        writer.number(keeperResidentBytes)
        writer.number(workerRestarts)
        writer.number(controllerRestarts)
        try worker.write(to: &writer)
        try controller.write(to: &writer)
        writer.number(handover.rawValue)
        writer.number(otherAgentPID)
        counters.write(to: &writer)
        writer.number(waitingUnenrolments)
        writer.number(earlierConnections)
        writer.number(stateBytes)
    }
}

/// How the agent's own sockets are told from those of pods.
package enum ExemptionMode: UInt8, Hashable, Sendable {
    case cgroup = 1
    /// Any container with CAP_NET_RAW can forge it.
    case mark = 2
}

/// Whether an agent is succeeded, or succeeds another.
package enum HandoverFacts: UInt8, Hashable, Sendable {
    case none = 0
    /// Its worker starts; the agent before it is still in charge.
    case takingOver = 1
    /// In charge; the worker of the agent before it finishes what runs.
    case predecessorDrains = 2
    /// Another agent is starting, and nothing is changed meanwhile.
    case handingOver = 3
    /// Another agent is in charge. A worker that reads this closes its listeners, those of metrics, readiness and
    /// the admin interface included: the other's worker serves them.
    case yielded = 4
}

/// How a child of the keeper is.
package struct ChildFacts: Hashable, Sendable {
    /// Whether it runs.
    package enum Condition: UInt8, Hashable, Sendable {
        /// It is not wanted, or not started yet.
        case none = 0
        case running = 1
        /// It runs and has said that it serves; the controller never says so.
        case ready = 2
        /// It ended too often, and is started again after a while.
        case restarting = 3
        /// It runs and finishes what it has.
        case ending = 4
    }

    /// Whether it runs.
    package var condition = Condition.none
    /// Its process; 0: it does not run.
    package var pid: UInt32 = 0
    /// Time in milliseconds until it is started again, where it is `restarting`.
    package var restartsIn: UInt32 = 0
    /// Why it ended last, or could not be started, for people; cut to 200 bytes on its way. Empty: it never did.
    package var lastEnd = ""

    package init() {}

    init(reader: inout MessageReader) throws(KeeperError) {
        guard let condition = Condition(rawValue: try reader.number(UInt8.self)) else {
            throw .malformed("a child's condition")
        }
        self.condition = condition
        pid = try reader.number(UInt32.self)
        restartsIn = try reader.number(UInt32.self)
        lastEnd = try reader.text(limit: MessageLimits.detail)
    }

    func write(to writer: inout MessageWriter) throws(KeeperError) {
        writer.number(condition.rawValue)
        writer.number(pid)
        writer.number(restartsIn)
        try writer.shortened(lastEnd, limit: MessageLimits.detail)
    }
}
