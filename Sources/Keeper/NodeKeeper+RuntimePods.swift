internal import Kernel
internal import Mesh

/// Pods that the container runtime starts and ends: what the CNI plugin's requests come to.
extension NodeKeeper {
    /// A pod that just starts, with the namespace that was made for it: captured before this returns, or not at all.
    /// The wish stands until the controller, which may not know the pod yet, has named it once.
    /// - Parameters:
    ///   - wish: the controller's verdict; with the addresses that the runtime gave the pod, where it says them.
    ///   - namespacePath: of the namespace, as this process sees it.
    ///   - containerID: the runtime's name for the sandbox, by which it ends it.
    /// - Throws: `enrolment`, `addressInUse`, or `busy` while another agent takes over: let the runtime try again.
    func cniPodAdded(wish: PodWish, namespacePath: String, containerID: String) throws(KeeperError) {
        guard !isStopping, !isHandingOver else {
            throw KeeperError(.busy, "the agent is being succeeded by another: try again")
        }
        let namespace = try openNamespace(namespacePath)
        let isKnown = pods[wish.uid] != nil
        let pod = pods[wish.uid] ?? Pod(wish, wantedAt: loop.now)
        if let captured = pod.captured {
            if captured.namespace.cookie != namespace.cookie || pod.enrolment.isWithdrawing {
                release(pod)
                _ = pod.enrolment.namespaceLost(at: loop.now, reason: "the pod was started again")
            }
        }
        unenrolments.cancelled(wish.uid)
        pods[wish.uid] = pod
        pod.wish = wish
        _ = wishes.started(wish)
        pod.containerID = containerID
        defer { scheduleSearch() }
        if pod.captured != nil {
            apply(pod)
            return tell(pod)
        }
        if !pod.enrolment.isSearching { pod.enrolment = PodEnrolment(wantedAt: loop.now) }
        if let failure = capture(pod, in: FoundNamespace(namespace: namespace, path: namespacePath)) {
            if !isKnown {
                _ = wishes.unwanted(wish.uid)
                pods[wish.uid] = nil
            }
            throw failure
        }
        tell(pod)
    }

    /// The runtime ends a sandbox: what is open in it is let go at once. Its rules stay, so what runs on in it for a
    /// moment does not fall back to plaintext; they end with the namespace.
    /// - Returns: whether a pod was captured there.
    @discardableResult
    func cniPodDeleted(containerID: String) -> Bool {
        guard let pod = pods.values.first(where: { $0.containerID == containerID }) else { return false }
        let wasCaptured = pod.captured != nil
        audit(pod, .runtime)
        release(pod)
        _ = wishes.unwanted(pod.wish.uid)
        unenrolments.cancelled(pod.wish.uid)
        pod.enrolment = PodEnrolment(wantedAt: loop.now)
        _ = pod.enrolment.wishWithdrawn(at: loop.now, drain: .zero)
        forget(pod)
        return wasCaptured
    }

    /// The sandboxes of the pods that came by the runtime and are still known, for its garbage collection.
    var cniContainerIDs: [String: WorkloadUID] {
        let known = pods.values.compactMap { pod in pod.containerID.map { ($0, pod.wish.uid) } }
        return Dictionary(known) { first, _ in first }
    }

    /// Asks the controller about a pod; the answer comes as `podJudged`.
    /// - Returns: false if no controller runs that could answer.
    func askController(_ question: KeeperToController) -> Bool {
        guard let controller else { return false }
        controller.channel.send(question)
        return true
    }

    private func openNamespace(_ path: String) throws(KeeperError) -> NetworkNamespace {
        let namespace: NetworkNamespace
        let own: NetworkNamespace
        do {
            namespace = try NetworkNamespace.open(path: path)
            own = try NetworkNamespace.current()
        } catch {
            throw KeeperError(.enrolment, "the pod's network namespace \(path): \(error)")
        }
        guard namespace.cookie != own.cookie else {
            throw KeeperError(.enrolment, "\(path) is the agent's own network namespace, not a pod's")
        }
        return namespace
    }
}
