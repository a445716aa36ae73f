internal import CNI
internal import Kernel

/// One call of the plugin: a frame comes, a frame goes, then it is over. Confined to its loop.
final class PluginConnection: EventHandler {
    private enum Phase {
        case reading([UInt8])
        /// The request is with the keeper.
        case waiting
        case writing(ArraySlice<UInt8>)
        case closed
    }

    private let descriptor: Descriptor
    private let loop: EventLoop
    private var registration: EventLoop.Registration?
    private var timer: TimerID?
    private var phase = Phase.reading([])
    private let onInvocation: (PluginConnection, PluginInvocation) -> Void
    private let onEnd: (PluginConnection) -> Void
    /// When it was accepted.
    let beganAt = ContinuousClock.now

    /// How long the plugin may take to say what it wants, and to take the answer; it does either at once.
    private static let patience = Duration.seconds(2)

    /// Registers on `loop` at once.
    /// - Parameters:
    ///   - onInvocation: called once, when the request is complete; answered by `answer`, then or later.
    ///   - onEnd: called once, when it is over, however.
    init(
        _ descriptor: consuming Descriptor, loop: EventLoop,
        onInvocation: @escaping (PluginConnection, PluginInvocation) -> Void,
        onEnd: @escaping (PluginConnection) -> Void
    ) throws(SystemError) {
        self.descriptor = descriptor
        self.loop = loop
        self.onInvocation = onInvocation
        self.onEnd = onEnd
        registration = try loop.register(self.descriptor.raw, .edge, handler: self)
        limitTime()
    }

    /// Whether somebody still waits for the answer.
    var isWaiting: Bool {
        if case .waiting = phase { return true }
        return false
    }

    /// Sends the answer; nothing happens if nobody waits for it.
    func answer(_ answer: PluginAnswer) {
        guard isWaiting else { return }
        phase = .writing(PluginFrame.encode(answer)[...])
        limitTime()
        write()
    }

    func close() {
        guard let registration else { return }
        self.registration = nil
        phase = .closed
        if let timer { loop.cancel(timer) }
        loop.unregister(registration)
        onEnd(self)
    }

    func ready(_ readiness: Readiness) {
        switch phase {
        case .reading, .waiting: read()
        case .writing: write()
        case .closed: break
        }
    }

    private func read() {
        while true {
            switch descriptor.readOnce(limit: 16_384) {
            case .wouldBlock: return
            case .ended: return close()
            case .bytes(let bytes):
                guard case .reading(let former) = phase else { return close() }
                let received = former + bytes
                phase = .reading(received)
                switch PluginFrame.readInvocation(received) {
                case .incomplete: continue
                case .malformed: return close()
                case .complete(let invocation):
                    phase = .waiting
                    if let timer { loop.cancel(timer) }
                    onInvocation(self, invocation)
                    // What follows now is the end of the plugin, or nothing.
                    guard isWaiting else { return }
                }
            }
        }
    }

    private func write() {
        while case .writing(let rest) = phase {
            guard !rest.isEmpty, let count = descriptor.writeOnce(rest) else { return close() }
            if count == 0 { return }
            phase = .writing(rest.dropFirst(count))
        }
    }

    private func limitTime() {
        if let timer { loop.cancel(timer) }
        timer = loop.schedule(at: .now + Self.patience, TimerCall { [weak self] in self?.close() })
    }
}
