internal import Addressing
internal import Kernel
internal import Mesh

/// What the keeper does for pods that are captured or being let go.
extension NodeKeeper {
    // MARK: Looking after them

    /// Rules set right, dead namespaces let go, withdrawals ended.
    func checkPods() {
        retired.removeAll()
        continueUnenrolments()
        for pod in pods.values where pod.captured != nil {
            if pod.enrolment.isWithdrawing { endWithdrawal(pod) } else { verify(pod) }
        }
        var missing: [Pod] = []
        for pod in pods.values {
            guard let captured = pod.captured else { continue }
            if isMissing(captured) { missing.append(pod) } else { captured.missedLooks = 0 }
        }
        if !missing.isEmpty { lookFor(missing) }
        for pod in pods.values {
            countAborted(pod)
            tellIfChanged(pod)
        }
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

    /// Aborted connections of before the capture are counted for the agent as a whole.
    private func countAborted(_ pod: Pod) {
        counters.abortedConnections &+= pod.captured?.abortedCount ?? 0
        pod.captured?.abortedCount = 0
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
        retired.append(captured)
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
        if !isLeaving { audit(pod, .namespaceGone) }
        guard pod.enrolment.namespaceLost(at: loop.now, reason: reason) == .release else { return }
        release(pod)
        // It was only ever the runtime's: nobody else would say that it is gone.
        let isOrphan = !isLeaving && !wishes.isNamed(pod.wish.uid)
        if isOrphan { _ = wishes.unwanted(pod.wish.uid) }
        unenrolments.cancelled(pod.wish.uid)
        if isLeaving || isOrphan { forget(pod) }
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
