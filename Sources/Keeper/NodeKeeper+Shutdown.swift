internal import Kernel

/// The agent's end: the worker finishes what runs, then the controller ends, then the loop.
extension NodeKeeper {
    /// How long the controller may take to end.
    private static let controllerGrace = Duration.seconds(2)

    func stopRequested() {
        guard !isStopping else {
            log(.warning, "asked a second time: ending at once")
            worker?.child.signal(.kill)
            controller?.child.signal(.kill)
            return
        }
        isStopping = true
        log(.info, "ending: open connections have \(configuration.drainDeadline) to finish")
        if configuration.withdrawsOnExit { stopCapturingAll() }
        guard workerSupervisor.stopRequested(), let worker else { return workerEnded() }
        let milliseconds = configuration.drainDeadline.drainMilliseconds
        worker.control.send(KeeperToWorker.drain(milliseconds: milliseconds))
        worker.sendToLoops(.drain(milliseconds: milliseconds))
        loop.schedule(
            after: configuration.drainDeadline,
            TimerCall { [unowned self] in
                guard let worker = self.worker else { return }
                log(.warning, "the worker did not end in time")
                worker.child.signal(.kill)
            })
    }

    /// The worker has ended, or none ran.
    func workerEnded() {
        guard controllerSupervisor.stopRequested(), let controller else { return controllerEnded() }
        controller.child.signal(.terminate)
        loop.schedule(after: Self.controllerGrace, TimerCall { [unowned self] in self.controller?.child.signal(.kill) })
    }

    /// The controller has ended, or none ran. One that ends while the worker drains does not cut the drain short.
    func controllerEnded() {
        guard worker == nil else { return }
        loop.stop()
    }
}
