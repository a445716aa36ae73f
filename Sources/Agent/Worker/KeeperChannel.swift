internal import Keeper
internal import Kernel

/// A child's end of its channel to the keeper: whole messages, in order, on an event loop.
final class KeeperChannel<Incoming: KeeperMessage, Outgoing: KeeperMessage>: EventHandler {
    private let socket: MessageSocket
    private let loop: EventLoop
    private var registration: EventLoop.Registration?
    private var waiting: [Outgoing] = []
    private var onMessage: ((Incoming, DescriptorList) -> Void)?
    private var onEnd: ((String) -> Void)?

    /// Messages that wait for a keeper that is behind; one that stays behind longer is gone for us.
    private static var mostWaiting: Int { 65_536 }

    init(_ socket: consuming MessageSocket, loop: EventLoop) {
        self.socket = socket
        self.loop = loop
    }

    /// Begins to receive. `onEnd` is called once, with the cause, if the keeper is gone.
    func start(onMessage: @escaping (Incoming, DescriptorList) -> Void, onEnd: @escaping (String) -> Void)
        throws(SystemError)
    {
        self.onMessage = onMessage
        self.onEnd = onEnd
        registration = try loop.register(socket.raw, .edge, handler: self)
        ready([])
    }

    func send(_ message: Outgoing) {
        waiting.append(message)
        flush()
    }

    func ready(_ readiness: Readiness) {
        flush()
        while registration != nil {
            do {
                switch try socket.receive() {
                case .message(let bytes, let descriptors):
                    let message = try Incoming(decoding: bytes, descriptorCount: descriptors.count)
                    onMessage?(message, descriptors)
                case .wouldBlock: return
                case .oversized: end("the keeper sent a message that is too long")
                case .closed: end("the keeper is gone")
                }
            } catch {
                end("\(error)")
            }
        }
    }

    private func flush() {
        var sent = 0
        defer { waiting.removeFirst(sent) }
        while sent < waiting.count {
            do {
                switch try socket.send(try waiting[sent].encoded()) {
                case .sent: sent += 1
                case .wouldBlock:
                    if waiting.count > Self.mostWaiting { end("the keeper does not answer") }
                    return
                case .closed: return end("the keeper is gone")
                }
            } catch {
                // This one can never be sent; the others can.
                sent += 1
            }
        }
    }

    private func end(_ cause: String) {
        guard let registration else { return }
        loop.unregister(registration)
        self.registration = nil
        let onEnd = onEnd
        onMessage = nil
        self.onEnd = nil
        onEnd?(cause)
    }
}
