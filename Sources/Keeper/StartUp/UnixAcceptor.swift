internal import Kernel

/// Accepts on a unix listener of the agent, which it does not own.
final class UnixAcceptor: EventHandler {
    private let listener: Int32
    private let loop: EventLoop
    private var registration: EventLoop.Registration?
    private let onAccept: (consuming Descriptor) -> Void

    /// Connections that are taken before others have their turn.
    private static let turn = 16

    /// - Parameter onAccept: called on the loop for each connection, nonblocking.
    init(
        _ listener: Int32, loop: EventLoop, onAccept: @escaping (consuming Descriptor) -> Void
    ) throws(SystemError) {
        self.listener = listener
        self.loop = loop
        self.onAccept = onAccept
        registration = try loop.register(listener, .level, handler: self)
    }

    /// Stops; what waits in the backlog waits on.
    func close() {
        guard let registration else { return }
        self.registration = nil
        loop.unregister(registration)
    }

    func ready(_ readiness: Readiness) {
        for _ in 0..<Self.turn {
            guard registration != nil else { return }
            switch UnixSocket.accept(number: listener) {
            case .accepted(let descriptor): onAccept(descriptor)
            case .wouldBlock: return
            case .failed: return
            }
        }
    }
}
