internal import Kernel

/// What one agent leaves to the next beside its pods. Two agents that meet have the same layout of it, or say so.
package struct InheritedAgent: Hashable, Sendable {
    /// A cgroup whose sockets are exempt from capture.
    package struct ExemptCgroup: Hashable, Sendable {
        /// From the root of the hierarchy.
        package var path: String
        /// The inode of its directory.
        package var id: UInt64

        package init(path: String, id: UInt64) {
            self.path = path
            self.id = id
        }
    }

    /// The agent's own first, then those of its predecessors that still drain; none where the mark tells agents.
    package var cgroups: [ExemptCgroup]
    /// Where the admin socket is.
    package var adminPath: String
    /// Whether the state that a worker left comes with it.
    package var hasState: Bool
    /// What was counted since the first of them started.
    package var counters: KeeperCounters

    package init(cgroups: [ExemptCgroup], adminPath: String, hasState: Bool, counters: KeeperCounters) {
        self.cgroups = cgroups
        self.adminPath = adminPath
        self.hasState = hasState
        self.counters = counters
    }

    /// The lock, the listeners in the order of `AgentListeners.Name`, then the state.
    var descriptorCount: Int { 1 + AgentListeners.Name.allCases.count + (hasState ? 1 : 0) }

    init(reader: inout MessageReader) throws(KeeperError) {
        cgroups = try reader.list(limit: MessageLimits.agents) { reader throws(KeeperError) in
            ExemptCgroup(path: try reader.path(), id: try reader.number(UInt64.self))
        }
        adminPath = try reader.path()
        hasState = try reader.flag()
        counters = try KeeperCounters(reader: &reader)
    }

    func write(to writer: inout MessageWriter) throws(KeeperError) {
        try writer.list(cgroups, limit: MessageLimits.agents) { writer, cgroup throws(KeeperError) in
            try writer.path(cgroup.path)
            writer.number(cgroup.id)
        }
        try writer.path(adminPath)
        writer.flag(hasState)
        counters.write(to: &writer)
    }
}

/// What the keeper counts; handed on, so that an upgrade does not hide what happened before it.
package struct KeeperCounters: Hashable, Sendable {
    /// How often the worker was started again.
    package var workerRestarts: UInt32 = 0
    /// How often the controller was started again.
    package var controllerRestarts: UInt32 = 0
    /// How often the worker was ended because it no longer gave a sign of life.
    package var workerHangs: UInt32 = 0
    /// How often one agent succeeded another.
    package var handovers: UInt32 = 0
    /// How often an agent wanted to succeed this one and did not come so far.
    package var failedHandovers: UInt32 = 0
    /// Pods whose capture was ended.
    package var unenrolments: UInt32 = 0
    /// Of these, how many had to wait.
    package var delayedUnenrolments: UInt32 = 0
    /// Connections from before their pod's capture that were aborted.
    package var abortedConnections: UInt32 = 0
    /// States of a worker that were refused: not sealed, or too large.
    package var refusedStates: UInt32 = 0

    package init() {}

    init(reader: inout MessageReader) throws(KeeperError) {
        for field in Self.fields { self[keyPath: field] = try reader.number(UInt32.self) }
    }

    func write(to writer: inout MessageWriter) {
        for field in Self.fields { writer.number(self[keyPath: field]) }
    }

    /// In the order of the wire.
    private static var fields: [WritableKeyPath<KeeperCounters, UInt32>] {
        [
            \.workerRestarts, \.controllerRestarts, \.workerHangs, \.handovers, \.failedHandovers, \.unenrolments,
            \.delayedUnenrolments, \.abortedConnections, \.refusedStates,
        ]
    }
}

extension MessageReader {
    mutating func path() throws(KeeperError) -> String {
        let path = try text(limit: MessageLimits.path)
        guard path.hasPrefix("/") else { throw .malformed("a path") }
        return path
    }
}

extension MessageWriter {
    mutating func path(_ path: String) throws(KeeperError) {
        guard path.hasPrefix("/") else { throw .malformed("a path") }
        try text(path, limit: MessageLimits.path)
    }
}
