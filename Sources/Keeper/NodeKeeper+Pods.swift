internal import Addressing
internal import CNI
internal import Kernel
internal import Mesh

extension NodeKeeper {
    // MARK: What the controller wants

    func podWanted(_ named: PodWish) {
        var wish = named
        if let known = pods[named.uid], known.containerID != nil, known.captured != nil {
            // What the runtime said is newer than what a controller has read.
            wish.addresses = known.wish.addresses
            wish.podUID = known.wish.podUID
        }
        switch wishes.wanted(wish) {
        case .known: return
        case .new, .changed: break
        }
        unenrolments.cancelled(wish.uid)
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

    func forget(_ pod: Pod) {
        pods[pod.wish.uid] = nil
        tell(pod)
    }

    /// Closes what is open in the pod's namespace; the rules there stay, so nothing falls back to plaintext.
    func release(_ pod: Pod) {
        guard pod.captured != nil else { return }
        pod.captured = nil
        pod.trouble = nil
        worker?.sendToLoops(.podWithdrawn(pod.wish.uid))
    }

    func apply(_ pod: Pod) {
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
        let found = finder.find(due.map(\.sought))
        for pod in due.sorted(by: { $0.wish.uid < $1.wish.uid }) {
            if let namespace = found[pod.wish.uid] {
                capture(pod, in: namespace)
            } else {
                pod.enrolment.namespaceNotFound(
                    at: now, reason: "no network namespace on this node has its address \(pod.addressText)")
            }
            tell(pod)
        }
        scheduleSearch()
    }

    /// - Returns: why not; nil if it is captured now.
    @discardableResult
    func capture(_ pod: Pod, in found: FoundNamespace) -> KeeperError? {
        if let other = holder(of: found.namespace, besides: pod) {
            let reason = "its address \(pod.addressText) is in the namespace of pod \(other)"
            pod.enrolment.namespaceNotFound(at: loop.now, reason: reason)
            return KeeperError(.enrolment, reason)
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
            return nil
        } catch {
            if pod.enrolment.report.state != .failed { log(.error, "pod \(pod.name) cannot be captured: \(error)") }
            pod.enrolment.captureFailed(at: loop.now, reason: error.message)
            return error
        }
    }

    /// The name of the pod that is captured there, or for which the runtime made it.
    private func holder(of namespace: NetworkNamespace, besides pod: Pod) -> String? {
        let cookie = namespace.cookie
        let other = pods.values.first { $0 !== pod && $0.captured?.namespace.cookie == cookie }?.name
        let owner = plugin.attachments.owner(ofNamespace: cookie)?.description
        return other ?? (owner == pod.name ? nil : owner)
    }

    func hasAddress(_ captured: CapturedPod, of wish: PodWish) -> Bool {
        // One that the runtime showed us is known by where it is.
        if wish.addresses.isEmpty { return true }
        guard let own = try? captured.namespace.addresses() else { return false }
        return !own.isDisjoint(with: wish.addresses)
    }
}
