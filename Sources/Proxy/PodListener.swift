internal import Addressing
internal import Kernel
internal import Transport

/// Accepts what capture sends to one of a pod's three ports. It accepts only while it is open; until then
/// connections wait in the kernel's backlog.
final class PodListener: EventHandler, TimerHandler {
    private var listener: TCPSocket?
    private let loop: EventLoop
    private var registration: EventLoop.Registration?
    private var isWanted = false
    /// When connections were told of last.
    private var lastReady: ContinuousClock.Instant?
    private let handle: (consuming TCPSocket, SocketAddress) -> Void

    /// How many connections are taken off the backlog per event, so that one pod cannot starve the others.
    private static let acceptsPerEvent = 64
    /// Connections that come closer than this are taken off together. Otherwise one is, and the next event tells if there
    /// are more: to find the backlog empty would cost a call per connection.
    private static let rush = Duration.microseconds(200)
    /// Pause after the process ran out of descriptors: accepting again at once would spin.
    private static let pauseWhenExhausted = Duration.milliseconds(100)

    /// - Parameter isWithinNode: only the pod itself comes here.
    init(
        _ listener: consuming Descriptor, isWithinNode: Bool = false, loop: EventLoop,
        handle: @escaping (consuming TCPSocket, SocketAddress) -> Void
    ) {
        let listener = TCPSocket(listener)
        // Accepted sockets inherit it. Without it a tunnel's small answers wait for the ACK of those before.
        try? listener.setNoDelay()
        SocketTuning.apply(to: listener)
        if isWithinNode { SocketTuning.applyWithinNode(to: listener) }
        self.listener = consume listener
        self.loop = loop
        self.handle = handle
    }

    var isOpen: Bool { registration != nil }

    func open() throws(SystemError) {
        isWanted = true
        guard registration == nil, let raw = rawDescriptor else { return }
        registration = try loop.register(raw, .exclusiveListener, handler: self)
    }

    private var rawDescriptor: Int32? {
        switch listener {
        case .some(let listener): listener.raw
        case .none: nil
        }
    }

    /// Stops accepting and closes this descriptor of the listener, for good; what is in the backlog waits for whoever
    /// accepts next.
    func close() {
        isWanted = false
        withdraw()
        listener = nil
    }

    /// Accepts no more until it is opened again; what comes waits in the backlog.
    func pauseAccepting() {
        isWanted = false
        withdraw()
    }

    private func withdraw() {
        if let registration { loop.unregister(registration) }
        registration = nil
    }

    func ready(_ readiness: Readiness) {
        let isRush = lastReady.map { $0.duration(to: loop.now) < Self.rush } ?? false
        lastReady = loop.now
        for _ in 0..<(isRush ? Self.acceptsPerEvent : 1) {
            guard isOpen else { return }
            switch listener?.accept() ?? .wouldBlock {
            case .accepted(let socket, let client): handle(socket, client)
            case .aborted: continue
            case .wouldBlock: return
            case .exhausted: return pause()
            case .failed: return pause()
            }
        }
    }

    private func pause() {
        withdraw()
        loop.schedule(after: Self.pauseWhenExhausted, self)
    }

    func timerFired(at now: ContinuousClock.Instant) {
        guard isWanted else { return }
        do {
            try open()
        } catch {
            loop.schedule(after: Self.pauseWhenExhausted, self)
        }
    }
}
