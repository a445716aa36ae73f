/// From the keeper to the worker as a whole, on the control channel.
package enum KeeperToWorker: KeeperMessage {
    case podState(PodReport)
    case facts(KeeperFacts)
    /// With one descriptor: a connected stream to the controller, nonblocking, in place of one that ended.
    case controllerStream
    /// Say "not ready" from now on; the worker is ended after `milliseconds`.
    case drain(milliseconds: UInt32)

    package var descriptorCount: Int {
        switch self {
        case .controllerStream: 1
        case .podState, .facts, .drain: 0
        }
    }

    /// Reads the fields of `kind`.
    /// - Throws: `malformedMessage` for a kind of another direction, or a field out of its limits.
    package init(kind: UInt8, reader: inout MessageReader) throws(KeeperError) {
        switch kind {
        case MessageKind.podState: self = .podState(try PodReport(reader: &reader))
        case MessageKind.facts: self = .facts(try KeeperFacts(reader: &reader))
        case MessageKind.controllerStream: self = .controllerStream
        case MessageKind.drainWorker: self = .drain(milliseconds: try reader.drainMilliseconds())
        default: throw .malformed("kind \(kind) from the keeper to the worker")
        }
    }

    package func write(to writer: inout MessageWriter) throws(KeeperError) {
        switch self {
        case .podState(let report):
            writer.begin(MessageKind.podState)
            try report.write(to: &writer)
        case .facts(let facts):
            writer.begin(MessageKind.facts)
            try facts.write(to: &writer)
        case .controllerStream: writer.begin(MessageKind.controllerStream)
        case .drain(let milliseconds):
            writer.begin(MessageKind.drainWorker)
            writer.number(min(milliseconds, MessageLimits.drainMilliseconds))
        }
    }
}

/// From the worker as a whole to the keeper, on the control channel.
package enum WorkerToKeeper: KeeperMessage {
    /// It has its configuration and serves.
    case ready
    case heartbeat
    /// Answered with `KeeperToWorker.facts`.
    case requestFacts
    /// The stream to the controller ended; answered with `KeeperToWorker.controllerStream`, or not at all while there
    /// is no controller: ask again later.
    case requestControllerStream
    /// With one descriptor: sealed memory of at most `MessageLimits.stateBytes` bytes, by which the next worker can
    /// serve without controller and authority. In place of what was sent before; the keeper does not read it.
    case state

    package var descriptorCount: Int {
        switch self {
        case .state: 1
        case .ready, .heartbeat, .requestFacts, .requestControllerStream: 0
        }
    }

    /// Reads the fields of `kind`.
    /// - Throws: `malformedMessage` for a kind of another direction, or a field out of its limits.
    package init(kind: UInt8, reader: inout MessageReader) throws(KeeperError) {
        switch kind {
        case MessageKind.ready: self = .ready
        case MessageKind.heartbeat: self = .heartbeat
        case MessageKind.requestFacts: self = .requestFacts
        case MessageKind.requestControllerStream: self = .requestControllerStream
        case MessageKind.state: self = .state
        default: throw .malformed("kind \(kind) from the worker to the keeper")
        }
    }

    package func write(to writer: inout MessageWriter) throws(KeeperError) {
        switch self {
        case .ready: writer.begin(MessageKind.ready)
        case .heartbeat: writer.begin(MessageKind.heartbeat)
        case .requestFacts: writer.begin(MessageKind.requestFacts)
        case .requestControllerStream: writer.begin(MessageKind.requestControllerStream)
        case .state: writer.begin(MessageKind.state)
        }
    }
}
