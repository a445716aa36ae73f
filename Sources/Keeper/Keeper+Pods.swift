internal import Addressing
internal import Kernel
internal import Mesh

extension Keeper {
    // MARK: What the controller wants

    func podWanted(_ wish: PodWish) {
        switch wishes.wanted(wish) {
        case .known: return
        case .new, .changed: break
        }
        guard let pod = pods[wish.uid] else {
            pods[wish.uid] = Pod(wish, wantedAt: loop.now)
            return scheduleSearch()
        }
        let isSame = pod.captured.map { hasAddress($0, of: wish) } ?? false
        pod.wish = wish
        switch pod.enrolment.wishChanged(at: loop.now, isSameNamespace: isSame) {
        case .search: scheduleSearch()
        case .apply: apply(pod)
        case .releaseAndSearch:
            release(pod)
            scheduleSearch()
        }
        tell(pod)
    }

    func podUnwanted(_ uid: WorkloadUID) {
        guard wishes.unwanted(uid) else { return }
        withdraw(uid)
    }

    func podsComplete() {
        for uid in wishes.completed() { withdraw(uid) }
    }

    private func withdraw(_ uid: WorkloadUID) {
        guard let pod = pods[uid] else { return }
        switch pod.enrolment.wishWithdrawn(at: loop.now, drain: configuration.drainDeadline) {
        case .none: return
        case .forget: forget(pod)
        case .stopCapturing:
            log(.info, "pod \(pod.name) is no longer wanted: its new connections are not captured")
            do {
                try pod.captured?.stopCapturing()
            } catch {
                log(.error, "pod \(pod.name): \(error)")
            }
            worker?.sendToLoops(.podWithdrawn(uid))
            tell(pod)
        }
    }

    private func forget(_ pod: Pod) {
        pods[pod.wish.uid] = nil
        tell(pod)
    }

    /// Closes what is open in the pod's namespace; the rules there stay, so nothing falls back to plaintext.
    private func release(_ pod: Pod) {
        guard pod.captured != nil else { return }
        pod.captured = nil
        pod.trouble = nil
        worker?.sendToLoops(.podWithdrawn(pod.wish.uid))
    }

    private func apply(_ pod: Pod) {
        do {
            try pod.captured?.apply(pod.wish)
            pod.trouble = nil
            log(.info, "pod \(pod.name) is captured as its changed settings say")
        } catch {
            if pod.trouble == nil { log(.error, "pod \(pod.name) keeps its former settings: \(error)") }
            pod.trouble = "its changed settings are not in force: \(error)"
        }
    }

    // MARK: Searching and capturing

    /// Searches for every pod that is due, when this batch of events is over or when the first is due.
    func scheduleSearch() {
        if let searchTimer { loop.cancel(searchTimer) }
        searchTimer = nil
        guard !isStopping, let due = pods.values.compactMap({ $0.enrolment.searchDue }).min() else { return }
        searchTimer = loop.schedule(at: due, TimerCall { [unowned self] in search() })
    }

    private func search() {
        searchTimer = nil
        let now = loop.now
        let due = pods.values.filter { pod in pod.enrolment.searchDue.map { $0 <= now } ?? false }
        let found = finder.find(Set(due.flatMap(\.wish.addresses)))
        for pod in due.sorted(by: { $0.wish.uid < $1.wish.uid }) {
            if let namespace = pod.wish.addresses.lazy.compactMap({ found[$0] }).first {
                capture(pod, in: namespace)
            } else {
                pod.enrolment.namespaceNotFound(
                    at: now, reason: "no network namespace on this node has its address \(pod.addressText)")
            }
            tell(pod)
        }
        scheduleSearch()
    }

    private func capture(_ pod: Pod, in found: FoundNamespace) {
        if let other = holder(of: found.namespace, besides: pod) {
            return pod.enrolment.namespaceNotFound(
                at: loop.now, reason: "its address \(pod.addressText) is in the namespace of pod \(other.name)")
        }
        pod.enrolment.namespaceFound()
        do {
            let captured = try CapturedPod(found, wish: pod.wish, exemption: exemption)
            pod.captured = captured
            pod.trouble = nil
            pod.enrolment.captureSucceeded()
            worker?.sendToLoops(.podEnrolled(pod.wish.uid), captured.listeners)
            log(
                .info,
                "pod \(pod.name) is captured (\(found.path), \(captured.uncapturedConnections) connections before)")
        } catch {
            if pod.enrolment.report.state != .failed { log(.error, "pod \(pod.name) cannot be captured: \(error)") }
            pod.enrolment.captureFailed(at: loop.now, reason: error.message)
        }
    }

    private func holder(of namespace: NetworkNamespace, besides pod: Pod) -> Pod? {
        pods.values.first { $0 !== pod && $0.captured?.namespace.cookie == namespace.cookie }
    }

    private func hasAddress(_ captured: CapturedPod, of wish: PodWish) -> Bool {
        guard let own = try? captured.namespace.addresses() else { return false }
        return !own.isDisjoint(with: wish.addresses)
    }

    // MARK: Looking after them

    /// Rules set right, dead namespaces let go, withdrawals ended.
    func checkPods() {
        for pod in pods.values where pod.captured != nil {
            if pod.enrolment.isWithdrawing { endWithdrawal(pod) } else { verify(pod) }
        }
        var missing: [Pod] = []
        for pod in pods.values {
            guard let captured = pod.captured else { continue }
            if isMissing(captured) { missing.append(pod) } else { captured.missedLooks = 0 }
        }
        if !missing.isEmpty { lookFor(missing) }
        for pod in pods.values { tellIfChanged(pod) }
    }

    private func verify(_ pod: Pod) {
        guard let captured = pod.captured else { return }
        if captured.appliedWish != pod.wish { apply(pod) }
        do {
            if let drift = try captured.verify() {
                log(.warning, "pod \(pod.name): its rules were changed by another and are set right (\(drift))")
            }
            if captured.appliedWish == pod.wish { pod.trouble = nil }
        } catch {
            if pod.trouble == nil { log(.error, "pod \(pod.name): \(error)") }
            pod.trouble = error.message
        }
        _ = captured.recountEarlier()
    }

    private func endWithdrawal(_ pod: Pod) {
        guard let captured = pod.captured,
            pod.enrolment.withdrawalEnded(at: loop.now, openConnections: captured.openConnections())
        else { return }
        do {
            try captured.delete()
            log(.info, "pod \(pod.name) is released")
        } catch {
            log(.error, "pod \(pod.name): its rules could not be deleted: \(error)")
        }
        pod.captured = nil
        forget(pod)
    }

    /// Whether the namespace is no longer where it was found, or lost the pod's addresses.
    private func isMissing(_ captured: CapturedPod) -> Bool {
        Files.status(captured.path)?.inode != captured.namespace.inode
            || !hasAddress(captured, of: captured.appliedWish)
    }

    /// A namespace that nothing refers to any more is dead: what is open in it would keep it alive. Twice in a row, so
    /// that one failed look costs nobody its connections.
    private func lookFor(_ missing: [Pod]) {
        let living = finder.living()
        for pod in missing {
            guard let captured = pod.captured else { continue }
            let path = living[captured.namespace.inode]
            if let path { captured.path = path }
            if path != nil, hasAddress(captured, of: captured.appliedWish) {
                captured.missedLooks = 0
                continue
            }
            captured.missedLooks += 1
            guard captured.missedLooks >= 2 else { continue }
            let isAlive = path != nil
            lose(
                pod,
                reason: isAlive
                    ? "its namespace no longer has its address \(pod.addressText)"
                    : "its network namespace is gone")
        }
        scheduleSearch()
    }

    private func lose(_ pod: Pod, reason: String) {
        log(.info, "pod \(pod.name): \(reason)")
        let isLeaving = pod.enrolment.isWithdrawing
        guard pod.enrolment.namespaceLost(at: loop.now, reason: reason) == .release else { return }
        release(pod)
        if isLeaving { forget(pod) }
    }

    // MARK: Telling the worker

    func tell(_ pod: Pod) {
        let report = pod.report
        pod.lastReport = report
        worker?.control.send(KeeperToWorker.podState(report))
    }

    private func tellIfChanged(_ pod: Pod) {
        if pod.lastReport != pod.report { tell(pod) }
    }

    /// Answers a loop that ran out of sockets.
    func makeSockets(for channel: MessageChannel, _ request: LoopToKeeper) {
        switch request {
        case .requestSockets(let uid, let family, let count):
            guard let pod = pods[uid], pod.enrolment.isCaptured, let captured = pod.captured else {
                return channel.send(KeeperToLoop.socketsFailed(uid, family, code: SystemError.missing))
            }
            // One that asks and does not take what it asked for is not given more descriptors to hold.
            guard channel.waitingCount < 16 else {
                return channel.send(KeeperToLoop.socketsFailed(uid, family, code: SystemError.tryAgain))
            }
            do {
                let sockets = try captured.makeSockets(family, count: count)
                channel.send(KeeperToLoop.sockets(uid, family, count: count), sockets)
            } catch {
                channel.send(KeeperToLoop.socketsFailed(uid, family, code: error.code))
            }
        }
    }

    // MARK: The end

    /// New connections of all pods are no longer captured.
    func stopCapturingAll() {
        for pod in pods.values where pod.enrolment.isCaptured { try? pod.captured?.stopCapturing() }
    }

    /// Takes the rules of these pods back: of those that were being let go, there is nobody left to do it later.
    func deleteRules(of isMeant: (Pod) -> Bool) {
        for pod in pods.values where isMeant(pod) {
            do {
                try pod.captured?.delete()
            } catch {
                log(.error, "pod \(pod.name): its rules could not be deleted: \(error)")
            }
        }
    }
}
