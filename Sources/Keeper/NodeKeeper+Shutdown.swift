internal import Kernel

/// The agent's end: the worker finishes what runs, then the controller ends, then the loop.
extension NodeKeeper {
    /// How long the controller may take to end.
    private static let controllerGrace = Duration.seconds(2)
    /// How long the worker may take, at its deadline, to reset what is left: killed before, its sockets would be closed
    /// in order, and a stream that is cut would look like one that is complete.
    private static let workerGrace = Duration.seconds(3)

    func stopRequested() {
        if takeover != nil, !isInCharge { return endAtOnce() }
        // Being told to end after another agent has succeeded this one is the first time.
        guard !isStopping || (giver.hasYielded && !wasToldToEnd) else {
            log(.warning, "asked a second time: ending at once")
            worker?.child.signal(.kill)
            controller?.child.signal(.kill)
            return
        }
        wasToldToEnd = true
        guard !giver.hasYielded else { return log(.info, "asked to end: it will when its worker has finished") }
        if configuration.withdrawsOnExit { stopCapturingAll() }
        drain()
    }

    /// Another agent has everything: the controller ends at once, and the worker when it has finished.
    func drainForGood() {
        endController()
        worker?.control.send(KeeperToWorker.facts(facts))
        guard !isStopping else { return endIfNothingIsLeft() }
        drain()
    }

    /// The other agent goes on, and nothing is to be undone. The children see that this process is gone, and finish
    /// what they have taken.
    func endAtOnce() {
        isStopping = true
        loop.stop()
    }

    private func drain() {
        isStopping = true
        log(.info, "ending: open connections have \(configuration.drainDeadline) to finish")
        guard workerSupervisor.stopRequested(), let worker else { return workerEnded() }
        let milliseconds = configuration.drainDeadline.drainMilliseconds
        worker.control.send(KeeperToWorker.drain(milliseconds: milliseconds))
        worker.sendToLoops(.drain(milliseconds: milliseconds))
        loop.schedule(
            after: configuration.drainDeadline + Self.workerGrace,
            TimerCall { [unowned self] in
                guard let worker = self.worker else { return }
                log(.warning, "the worker did not end in time")
                worker.child.signal(.kill)
            })
    }

    /// The worker has ended, or none ran. While another agent takes over, its outcome is waited for.
    func workerEnded() {
        guard !giver.isOffering else { return }
        endController()
    }

    private func endController() {
        guard controllerSupervisor.stopRequested(), let controller else { return controllerEnded() }
        controller.child.signal(.terminate)
        loop.schedule(after: Self.controllerGrace, TimerCall { [unowned self] in self.controller?.child.signal(.kill) })
    }

    /// The controller has ended, or none ran. One that ends while the worker drains does not cut the drain short.
    func controllerEnded() {
        guard isStopping, worker == nil, controller == nil, !giver.isOffering else { return }
        loop.stop()
    }

    /// A hand-over is over, and the worker may have ended meanwhile.
    func endIfNothingIsLeft() {
        guard isStopping, worker == nil else { return }
        workerEnded()
    }
}
