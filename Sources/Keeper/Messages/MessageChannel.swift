package import Kernel

/// One end of a channel between the keeper and a child, on an event loop: sends in order, never blocks, and gives up on
/// another end that does not read. Confined to its loop.
package final class MessageChannel: EventHandler {
    /// Why a channel ended.
    package enum Ending {
        /// The other end was closed, as it is when its process ends.
        case closed
        /// The other end does what it may not, or nothing at all.
        case broken(String)
    }

    private struct Waiting {
        let bytes: [UInt8]
        let descriptors: [Int32]
        /// Keeps the descriptors open until the kernel has them.
        let owner: DescriptorList?
    }

    private let socket: MessageSocket
    private let loop: EventLoop
    private var registration: EventLoop.Registration?
    private var queue: [Waiting] = []
    private var closesWhenSent = false
    private let onMessage: (MessageChannel, [UInt8], DescriptorList) throws(KeeperError) -> Void
    private let onLost: ([UInt8]) throws(KeeperError) -> Bool
    private let onEnd: (Ending) -> Void

    /// Messages that may wait for the other end; one that is further behind is broken.
    private static let longestQueue = 16_384
    /// Messages that are served before other channels have their turn.
    private static let turn = 64

    /// Registers on `loop` at once.
    /// - Parameters:
    ///   - onMessage: called for each message; what it throws ends the channel.
    ///   - onLost: called for a message whose descriptors are lost, as this process has no room for them; false, or what it
    ///     throws, ends the channel.
    ///   - onEnd: called once, when the other side is gone or breaks the agreement; not after `close`.
    /// - Throws: what epoll_ctl(2) says, such as ENOSPC.
    package init(
        _ socket: consuming MessageSocket, loop: EventLoop,
        onMessage: @escaping (MessageChannel, [UInt8], DescriptorList) throws(KeeperError) -> Void,
        onLost: @escaping ([UInt8]) throws(KeeperError) -> Bool = { _ in false },
        onEnd: @escaping (Ending) -> Void
    ) throws(SystemError) {
        self.socket = socket
        self.loop = loop
        self.onMessage = onMessage
        self.onLost = onLost
        self.onEnd = onEnd
        registration = try loop.register(self.socket.raw, .edge, handler: self)
    }

    deinit {
        close()
    }

    /// Whether it has ended, by whom ever.
    var isClosed: Bool { registration == nil }

    /// Messages that the other end has not taken yet.
    var waitingCount: Int { queue.count }

    /// Sends `message` as soon as the other end takes it; one that cannot be encoded ends the channel.
    /// - Parameter descriptors: go with it, all of them, and stay the caller's.
    package func send(_ message: some KeeperMessage, _ descriptors: DescriptorList? = nil) {
        guard registration != nil else { return }
        do {
            queue.append(
                Waiting(bytes: try message.encoded(), descriptors: descriptors?.rawNumbers ?? [], owner: descriptors))
        } catch {
            return end(.broken("a message could not be written: \(error)"))
        }
        guard queue.count <= Self.longestQueue else { return end(.broken("it does not read its messages")) }
        if queue.count == 1 { flush() }
    }

    /// Closes as soon as everything is sent; `onEnd` is not called for that.
    package func finish() {
        closesWhenSent = true
        if queue.isEmpty { close() }
    }

    /// Stops; `onEnd` is not called.
    package func close() {
        guard let registration else { return }
        self.registration = nil
        queue = []
        loop.unregister(registration)
    }

    package func ready(_ readiness: Readiness) {
        guard registration != nil else { return }
        if readiness.contains(.writable) { flush() }
        receive()
    }

    private func flush() {
        var sent = 0
        defer {
            queue.removeFirst(min(sent, queue.count))
            if closesWhenSent, queue.isEmpty { close() }
        }
        for waiting in queue {
            do {
                switch try socket.send(waiting.bytes, descriptors: waiting.descriptors) {
                case .sent: sent += 1
                case .wouldBlock: return
                // What it sent before it ended is still to be read; the read finds the end.
                case .closed: return
                }
            } catch {
                // Too many descriptors are under way to it: as if it were behind. A writable edge follows its reads.
                if error.isBehind { return }
                return end(.broken("\(error)"))
            }
        }
    }

    private func receive() {
        for _ in 0..<Self.turn {
            guard registration != nil else { return }
            do {
                switch try socket.receive() {
                case .message(let bytes, let descriptors): try onMessage(self, bytes, descriptors)
                case .wouldBlock: return
                case .closed: return end(.closed)
                case .lostDescriptors(let bytes):
                    guard try onLost(bytes) else { return end(.broken("there was no room for what it sent")) }
                case .oversized: return end(.broken("a message over the limit"))
                }
            } catch {
                return end(.broken("\(error)"))
            }
        }
        loop.nextTurn(self)
    }

    private func end(_ ending: Ending) {
        guard registration != nil else { return }
        close()
        onEnd(ending)
    }
}
