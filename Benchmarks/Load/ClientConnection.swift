internal import Addressing
internal import Kernel

/// A connection of the client that counts down what it awaits.
final class ClientConnection: PeerDelegate {
    /// What happened on a connection; nil as `failure` for an answer that is whole.
    typealias Answered = (ClientConnection, _ failure: String?) -> Void

    private let answered: Answered
    private var peer: Peer?
    private let order: Order
    private var awaited: Int
    /// When the last message was sent, or the connection was begun.
    private(set) var begin: ContinuousClock.Instant = .now
    /// Answers that came.
    private(set) var answerCount = 0

    /// - Parameter answered: called for each answer that is whole, and once for a failure, after which nothing comes.
    init(_ order: Order, answered: @escaping Answered) {
        self.order = order
        self.answered = answered
        switch order.kind {
        case .echo: awaited = Order.messageSize
        case .download: awaited = order.count
        case .upload: awaited = 1
        }
    }

    func connect(to address: SocketAddress, memory: LoadMemory) {
        do {
            peer = try Peer.connecting(to: address, memory: memory, delegate: self)
        } catch {
            answered(self, "\(error)")
        }
    }

    /// Sends another message; only with `echo`, after an answer.
    func ask() {
        begin = .now
        awaited = Order.messageSize
        peer?.send(count: Order.messageSize)
    }

    func close() {
        peer?.close()
        peer = nil
    }

    func peerOpened(_ peer: Peer) {
        peer.send(order.message)
        if order.kind == .upload { peer.send(count: order.count) }
    }

    func peer(_ peer: Peer, received bytes: RawSpan) {
        awaited -= bytes.byteCount
        guard awaited <= 0 else { return }
        guard awaited == 0 else { return fail("more was answered than asked for") }
        answerCount += 1
        answered(self, nil)
    }

    func peerFinished(_ peer: Peer) { fail("closed before the answer was whole") }

    func peerFailed(_ peer: Peer, _ reason: String) { fail(reason) }

    private func fail(_ reason: String) {
        close()
        answered(self, reason)
    }
}
