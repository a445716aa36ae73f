internal import Kernel

extension NodeKeeper {
    /// Does what a supervisor decided.
    func perform(_ action: ChildSupervisor.Action, _ start: @escaping () -> Void) {
        switch action {
        case .none: break
        case .start: start()
        case .wait(let until): loop.schedule(at: until, TimerCall(start))
        }
    }

    // MARK: The worker

    func startWorker() {
        guard !isStopping else { return }
        do {
            let worker = try makeWorker()
            self.worker = worker
            workerSupervisor.started(at: .now)
            welcome(worker)
        } catch {
            log(.error, "the worker cannot be started: \(error)")
            lastEnds.worker = "it cannot be started: \(error)"
            perform(workerSupervisor.exited(at: .now), startWorker)
        }
    }

    private func makeWorker() throws(SystemError) -> Worker {
        let count = min(max(1, configuration.loopCount), InheritedDescriptor.maxLoops)
        let control = try MessageSocket.makePair()
        var pairs: [DescriptorList] = []
        for _ in 0..<count { pairs.append(try MessageSocket.makePair()) }
        let stream = DescriptorList()
        stream.append(try controllerStream())
        let none = try Descriptor.open("/dev/null", .read)

        var specification = ChildSpecification(arguments: configuration.workerArguments, environment: environment)
        specification.path = configuration.executable
        specification.identity = configuration.workerIdentity
        specification.isSessionLeader = true
        specification.descriptors =
            ([control.raw(at: 1), stream.raw(at: 0)].compactMap(\.self))
            + [listeners[.admin], listeners[.metrics], listeners[.readiness], workerState?.raw ?? none.raw]
            + pairs.compactMap { $0.raw(at: 1) }
        let child = try RunningChild(launch(specification), loop: loop) { [unowned self] exit in
            workerExited(exit)
        }
        return Worker(
            child: child,
            control: try channel(control) { [unowned self] channel, bytes, descriptors throws(KeeperError) in
                receive(
                    try WorkerToKeeper(decoding: bytes, descriptorCount: descriptors.count), descriptors, on: channel)
            },
            loops: try pairs.map { pair throws(SystemError) in
                try channel(pair) { [unowned self] channel, bytes, descriptors throws(KeeperError) in
                    makeSockets(for: channel, try LoopToKeeper(decoding: bytes, descriptorCount: descriptors.count))
                }
            },
            startedAt: .now)
    }

    private func channel(
        _ pair: DescriptorList,
        _ onMessage: @escaping (MessageChannel, [UInt8], DescriptorList) throws(KeeperError) -> Void
    ) throws(SystemError) -> MessageChannel {
        guard let near = pair.take(at: 0) else { throw SystemError("socketpair", SystemError.badDescriptor) }
        return try MessageChannel(MessageSocket(near), loop: loop, onMessage: onMessage) { [unowned self] ending in
            workerChannelEnded(ending)
        }
    }

    /// The new worker is told everything: nothing of what its predecessor knew is left.
    private func welcome(_ worker: Worker) {
        log(.info, "the worker runs (process \(worker.child.pid))")
        worker.control.send(KeeperToWorker.facts(facts))
        for pod in pods.values {
            if pod.enrolment.isCaptured, let captured = pod.captured {
                worker.sendToLoops(.podEnrolled(pod.wish.uid), captured.listeners)
            }
            tell(pod)
        }
    }

    private func receive(_ message: WorkerToKeeper, _ descriptors: DescriptorList, on channel: MessageChannel) {
        switch message {
        case .ready:
            guard let worker, !worker.isReady else { return }
            worker.isReady = true
            log(.info, "the worker is ready after \((.now - worker.startedAt).formattedMilliseconds) ms")
            workerServes()
        case .heartbeat: worker?.heartbeat()
        case .requestFacts: channel.send(KeeperToWorker.facts(facts))
        case .requestControllerStream:
            // Without a controller to connect to there is no answer; the worker asks again.
            guard configuration.controllerArguments != nil, let stream = try? controllerStream() else { return }
            let list = DescriptorList()
            list.append(stream)
            channel.send(KeeperToWorker.controllerStream, list)
        case .state:
            if let file = descriptors.take(at: 0) { keepState(file) }
        }
    }

    /// What the worker leaves for the next: not looked into, but nobody may be able to change it any more, the worker
    /// included. The last one that was in order is kept.
    private func keepState(_ file: consuming Descriptor) {
        let refusal: String
        let size = (try? SealedMemory.size(of: file)) ?? .max
        if !SealedMemory.isSealed(file) {
            refusal = "it is not sealed"
        } else if size > MessageLimits.stateBytes {
            refusal = "it has \(size) bytes, more than \(MessageLimits.stateBytes)"
        } else {
            workerState = consume file
            workerStateSize = size
            return
        }
        counters.refusedStates &+= 1
        guard let worker, !worker.hasRefusedState else { return }
        worker.hasRefusedState = true
        log(.error, "the worker's state is refused: \(refusal); the former one is kept")
    }

    /// Every second: one that gives no sign of life for too long is of no use. Counted in looks, so that the time that
    /// the machine slept does not count.
    func checkWorker() {
        guard let worker, !isStopping, worker.secondPassed(limit: configuration.heartbeatLimitSeconds) else { return }
        counters.workerHangs &+= 1
        log(.error, "the worker gives no sign of life (process \(worker.child.pid)): it is ended")
        worker.child.signal(.kill)
    }

    /// Its messages make no sense or it closed a channel: it is of no use, whatever it still does.
    private func workerChannelEnded(_ ending: MessageChannel.Ending) {
        guard let worker else { return }
        if case .broken(let reason) = ending {
            log(.error, "the worker breaks the agreement: \(reason)")
            worker.fault = "it broke the agreement: \(reason)"
        }
        worker.close()
        worker.child.signal(.kill)
    }

    private func workerExited(_ exit: ProcessExit) {
        let fault = worker?.fault ?? ""
        worker?.close()
        worker = nil
        lastEnds.worker = fault.isEmpty ? "it \(exit)" : fault
        let action = workerSupervisor.exited(at: .now)
        if isStopping { return workerEnded() }
        log(.error, "the worker \(exit); it is started again (restart \(workerSupervisor.restartCount))")
        perform(action, startWorker)
    }

    /// A connection to the controller's listener; it waits in the backlog while no controller runs.
    private func controllerStream() throws(SystemError) -> Descriptor {
        guard configuration.controllerArguments != nil else {
            guard let end = try UnixSocket.makePair().take(at: 0) else {
                throw SystemError("socketpair", SystemError.badDescriptor)
            }
            return end
        }
        return try UnixSocket.connect(configuration.controllerPath, isNonblocking: true)
    }

    /// A trap ends a child at once: the backtracer would start another program, which the worker may not, and
    /// would keep the node waiting.
    private var environment: [String] {
        let own = CurrentProcess.environment
        return own.contains { $0.hasPrefix("SWIFT_BACKTRACE=") } ? own : own + ["SWIFT_BACKTRACE=enable=no"]
    }

    // MARK: The controller

    func startController() {
        guard !isStopping, let arguments = configuration.controllerArguments else { return }
        do {
            controller = try makeController(arguments)
            controllerSupervisor.started(at: .now)
            whenSettled { [unowned self] in wishes.controllerStarted() }
        } catch {
            log(.error, "the controller cannot be started: \(error)")
            lastEnds.controller = "it cannot be started: \(error)"
            perform(controllerSupervisor.exited(at: .now), startController)
        }
    }

    private func makeController(_ arguments: [String]) throws(SystemError) -> Controller {
        let pair = try MessageSocket.makePair()
        var specification = ChildSpecification(arguments: arguments, environment: environment)
        specification.path = configuration.executable
        specification.identity = configuration.controllerIdentity
        specification.isSessionLeader = true
        specification.descriptors =
            [pair.raw(at: 1)].compactMap(\.self)
            + [listeners[.controller], listeners[.controllerAdmin], listeners[.controllerNetwork]]
        let child = try RunningChild(launch(specification), loop: loop) { [unowned self] exit in
            controllerExited(exit)
        }
        guard let near = pair.take(at: 0) else { throw SystemError("socketpair", SystemError.badDescriptor) }
        let channel = try MessageChannel(MessageSocket(near), loop: loop) {
            [unowned self] _, bytes, descriptors throws(KeeperError) in
            receive(try ControllerToKeeper(decoding: bytes, descriptorCount: descriptors.count))
        } onEnd: { [unowned self] ending in
            if case .broken(let reason) = ending { log(.error, "the controller breaks the agreement: \(reason)") }
            controller?.child.signal(.kill)
        }
        log(.info, "the controller runs (process \(child.pid))")
        return Controller(child: child, channel: channel)
    }

    private func receive(_ message: ControllerToKeeper) {
        if case .podVerdict(let verdict) = message { return podJudged(verdict) }
        whenSettled { [unowned self] in obey(message) }
    }

    private func obey(_ message: ControllerToKeeper) {
        guard !isStopping else { return }
        switch message {
        case .podWanted(let wish): podWanted(wish)
        case .podUnwanted(let uid): podUnwanted(uid)
        case .podsComplete: podsComplete()
        case .podVerdict(let verdict): podJudged(verdict)
        }
    }

    /// Does `body` now, or when this agent has everything to itself; never, if another succeeds it.
    private func whenSettled(_ body: @escaping () -> Void) {
        if isHandingOver { deferred.append(body) } else { body() }
    }

    private func controllerExited(_ exit: ProcessExit) {
        controller?.channel.close()
        controller = nil
        lastEnds.controller = "it \(exit)"
        let action = controllerSupervisor.exited(at: .now)
        // While the worker still drains it is not started again, and not needed.
        if isStopping { return controllerEnded() }
        log(.error, "the controller \(exit); it is started again (restart \(controllerSupervisor.restartCount))")
        perform(action, startController)
        worker?.control.send(KeeperToWorker.facts(facts))
    }
}

extension Duration {
    /// Whole milliseconds.
    fileprivate var formattedMilliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }

    /// For a message: whole milliseconds, at most what a message may hold.
    var drainMilliseconds: UInt32 {
        UInt32(clamping: min(components.seconds, 86_400) * 1000 + components.attoseconds / 1_000_000_000_000_000)
    }
}
