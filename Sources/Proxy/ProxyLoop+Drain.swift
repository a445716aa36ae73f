internal import Kernel
internal import Mesh
internal import Transport

/// How the loop comes to its end.
extension ProxyLoop {
    /// Accepts no more, tells every peer, lets what runs run on; `done` is called when nothing runs any more.
    ///
    /// The listeners are closed in this process only: what waits in their backlogs, and who comes, is the next
    /// worker's. Called again, it may bring the deadline forward, never back.
    ///
    /// - Parameter grace: after which what still runs is ended, as by `shutDown`; nil for as long as it takes.
    package func drain(within grace: Duration? = nil, _ done: @escaping () -> Void) {
        onDrained.append(done)
        if let grace { setDrainDeadline(now.advanced(by: grace)) }
        isDraining = true
        for pod in pods.values { pod.close() }
        tunnels.drain()
        inboundTunnels.drain()
        finishDrainIfEmpty()
    }

    private func setDrainDeadline(_ instant: ContinuousClock.Instant) {
        if let drainDeadline {
            guard instant < drainDeadline.instant else { return }
            drainDeadline.cancel()
        }
        drainDeadline = DrainDeadline(at: instant, on: loop) { [unowned self] in shutDown() }
    }

    /// Ends what still runs.
    package func shutDown() {
        for connection in connections.all { connection.close(.drain, "the agent's drain deadline passed") }
        inboundTunnels.shutDown()
    }

    func tunnelEnded() {
        tellLoad()
        finishDrainIfEmpty()
    }

    func finishDrainIfEmpty() {
        // Without connections a tunnel may still hold their last bytes; it ends when they are out.
        guard !onDrained.isEmpty, connections.isEmpty, handedOver.isEmpty, tunnels.isQuiet, inboundTunnels.isQuiet
        else { return }
        drainDeadline?.cancel()
        drainDeadline = nil
        let waiting = onDrained
        onDrained = []
        for done in waiting { done() }
    }
}
