package import Addressing
package import Mesh

/// From the keeper to one event loop of the worker.
package enum KeeperToLoop: KeeperMessage {
    /// With three descriptors: the listeners of 15001, 15006 and 15008 in the pod's namespace, nonblocking. Repeated
    /// for a pod that was told before, it replaces that pod's listeners.
    case podEnrolled(WorkloadUID)
    /// The pod's listeners are to be closed; what it has open drains.
    case podWithdrawn(WorkloadUID)
    /// With `count` descriptors: unconnected, nonblocking TCP sockets of the pod's namespace.
    case sockets(WorkloadUID, IPAddress.Family, count: Int)
    /// The request could not be met; the errno says why (ENOENT: the pod is not enrolled).
    case socketsFailed(WorkloadUID, IPAddress.Family, code: Int32)
    /// Finish what runs; the worker is ended after `milliseconds`.
    case drain(milliseconds: UInt32)

    package var descriptorCount: Int {
        switch self {
        case .podEnrolled: 3
        case .sockets(_, _, let count): count
        case .podWithdrawn, .socketsFailed, .drain: 0
        }
    }

    /// Reads the fields of `kind`.
    /// - Throws: `malformedMessage` for a kind of another direction, or a field out of its limits.
    package init(kind: UInt8, reader: inout MessageReader) throws(KeeperError) {
        switch kind {
        case MessageKind.podEnrolled: self = .podEnrolled(try reader.uid())
        case MessageKind.podWithdrawn: self = .podWithdrawn(try reader.uid())
        case MessageKind.sockets:
            self = .sockets(try reader.uid(), try reader.family(), count: try reader.socketCount())
        case MessageKind.socketsFailed:
            self = .socketsFailed(try reader.uid(), try reader.family(), code: try reader.errorNumber())
        case MessageKind.drainLoop: self = .drain(milliseconds: try reader.drainMilliseconds())
        default: throw .malformed("kind \(kind) from the keeper to a loop")
        }
    }

    package func write(to writer: inout MessageWriter) throws(KeeperError) {
        switch self {
        case .podEnrolled(let uid):
            writer.begin(MessageKind.podEnrolled)
            try writer.uid(uid)
        case .podWithdrawn(let uid):
            writer.begin(MessageKind.podWithdrawn)
            try writer.uid(uid)
        case .sockets(let uid, let family, let count):
            writer.begin(MessageKind.sockets)
            try writer.uid(uid)
            writer.family(family)
            try writer.socketCount(count)
        case .socketsFailed(let uid, let family, let code):
            writer.begin(MessageKind.socketsFailed)
            try writer.uid(uid)
            writer.family(family)
            writer.number(UInt32(clamping: code))
        case .drain(let milliseconds):
            writer.begin(MessageKind.drainLoop)
            writer.number(min(milliseconds, MessageLimits.drainMilliseconds))
        }
    }
}

/// From one event loop of the worker to the keeper.
package enum LoopToKeeper: KeeperMessage {
    /// 1 through `MessageLimits.sockets` sockets of the pod's namespace are wanted.
    case requestSockets(WorkloadUID, IPAddress.Family, count: Int)

    package var descriptorCount: Int { 0 }

    /// Reads the fields of `kind`.
    /// - Throws: `malformedMessage` for a kind of another direction, or a field out of its limits.
    package init(kind: UInt8, reader: inout MessageReader) throws(KeeperError) {
        guard kind == MessageKind.requestSockets else { throw .malformed("kind \(kind) from a loop to the keeper") }
        self = .requestSockets(try reader.uid(), try reader.family(), count: try reader.socketCount())
    }

    package func write(to writer: inout MessageWriter) throws(KeeperError) {
        switch self {
        case .requestSockets(let uid, let family, let count):
            writer.begin(MessageKind.requestSockets)
            try writer.uid(uid)
            writer.family(family)
            try writer.socketCount(count)
        }
    }
}

extension MessageReader {
    fileprivate mutating func socketCount() throws(KeeperError) -> Int {
        let count = Int(try number(UInt8.self))
        guard (1...MessageLimits.sockets).contains(count) else { throw .malformed("\(count) sockets") }
        return count
    }

    fileprivate mutating func errorNumber() throws(KeeperError) -> Int32 {
        let number = try number(UInt32.self)
        // The kernel's error numbers end at MAX_ERRNO, 4095 (linux/err.h).
        guard (1...4095).contains(number) else { throw .malformed("error number \(number)") }
        return Int32(number)
    }

    mutating func drainMilliseconds() throws(KeeperError) -> UInt32 {
        let milliseconds = try number(UInt32.self)
        guard milliseconds <= MessageLimits.drainMilliseconds else { throw .malformed("a drain of \(milliseconds) ms") }
        return milliseconds
    }
}

extension MessageWriter {
    fileprivate mutating func socketCount(_ count: Int) throws(KeeperError) {
        guard (1...MessageLimits.sockets).contains(count) else { throw .malformed("\(count) sockets") }
        number(UInt8(count))
    }
}
