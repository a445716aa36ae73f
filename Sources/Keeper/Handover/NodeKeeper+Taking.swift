internal import Capture
internal import Kernel
internal import Mesh

/// Succeeding the agent that runs: its pods are adopted, the children started, and only when the worker serves is this
/// agent in charge.
extension NodeKeeper {
    /// Adopts what was told, without a change that the other would not undo by itself.
    func adoptAll() throws {
        guard let takeover, let socket = takeover.takeSocket() else { return }
        let channel = try MessageChannel(socket, loop: loop) {
            [unowned self] _, bytes, descriptors throws(KeeperError) in
            heard(try AgentToSuccessor(decoding: bytes, descriptorCount: descriptors.count))
        } onEnd: { [unowned self] ending in
            if case .broken(let reason) = ending { log(.error, "the agent before this one breaks off: \(reason)") }
            predecessorEnded()
        }
        predecessor = channel
        for item in takeover.takePods() { adopt(item) }
        log(
            .info,
            "taking over from the agent of process \(takeover.pid): "
                + "\(pods.values.filter { $0.enrolment.isCaptured }.count) of \(pods.count) pods are captured")
    }

    private func adopt(_ item: Takeover.Pod) {
        let pod = Pod(item.inherited.wish, wantedAt: loop.now)
        pods[item.inherited.wish.uid] = pod
        if !item.inherited.containerID.isEmpty { pod.containerID = item.inherited.containerID }
        var isWanted = true
        if case .withdrawing = item.inherited.state { isWanted = false }
        if isWanted { wishes.inherited(item.inherited.wish, isNamed: item.inherited.isNamed) }
        guard item.inherited.state != .searching else { return }
        pod.enrolment.namespaceFound()
        do {
            pod.captured = try captured(item)
            pod.enrolment.captureSucceeded()
            if case .withdrawing(let milliseconds) = item.inherited.state {
                _ = pod.enrolment.wishWithdrawn(at: loop.now, drain: .milliseconds(Int(milliseconds)))
            }
        } catch {
            log(.error, "pod \(pod.name) could not be adopted: \(error)")
            pod.enrolment.captureFailed(at: loop.now, reason: error.message)
        }
    }

    private func captured(_ item: Takeover.Pod) throws(KeeperError) -> CapturedPod {
        guard let descriptor = item.descriptors.take(at: 0) else { throw KeeperError(.handover, "no namespace came") }
        let namespace: NetworkNamespace
        do {
            namespace = try NetworkNamespace.adopt(descriptor)
        } catch {
            throw KeeperError(.handover, "what came is no network namespace: \(error)")
        }
        let listeners = DescriptorList()
        for index in 1..<max(1, item.descriptors.count) {
            if let listener = item.descriptors.take(at: index) { listeners.append(listener) }
        }
        return try CapturedPod(
            adopting: FoundNamespace(namespace: namespace, path: item.inherited.namespacePath), item.inherited,
            listeners: listeners, earlier: item.earlier, exemption: exemption)
    }

    // MARK: From the other agent

    private func heard(_ message: AgentToSuccessor) {
        guard let takeover else { return }
        switch message {
        case .yielded: perform(takeover.yielded())
        case .aborted: perform(takeover.aborted())
        case .welcome, .refused, .agent, .earlier, .pod, .complete:
            perform(takeover.isInCharge ? .none : .giveUp(reason: "its messages come out of order"))
        }
    }

    private func predecessorEnded() {
        predecessor = nil
        if let takeover { perform(takeover.connectionEnded()) }
        guard isInCharge else { return }
        takeover = nil
        log(.info, "the agent before this one is gone")
        forgetForeignCgroups()
        worker?.control.send(KeeperToWorker.facts(facts))
    }

    /// The worker has said that it serves.
    func workerServes() {
        if let takeover { perform(takeover.workerReady()) }
    }

    private func perform(_ action: HandoverTaker.Action) {
        switch action {
        // The first part is over: what belongs to it is not asked for again.
        case .none, .claim, .adopt, .startAnew: break
        case .sayServing: predecessor?.send(SuccessorToAgent.serving)
        case .takeCharge: takeCharge()
        case .giveUp(let reason):
            guard failure == nil else { return }
            failure = KeeperError(
                .handover, "the agent that runs (process \(takeover?.pid ?? 0)) was not succeeded: \(reason)")
            endAtOnce()
        }
    }

    private func takeCharge() {
        counters.handovers &+= 1
        log(.info, "in charge of \(pods.count) pods")
        do {
            try lock?.claim()
            try openDoors()
        } catch {
            log(.error, "the agent's sockets are not served: \(error)")
        }
        let work = deferred
        deferred = []
        for step in work { step() }
        scheduleSearch()
        worker?.control.send(KeeperToWorker.facts(facts))
    }

    // MARK: What the other leaves behind

    /// The exemption of agents whose last process is gone ends, and their cgroups are deleted.
    func forgetForeignCgroups() {
        guard predecessor == nil, !foreignCgroups.isEmpty, case .cgroups(var identifiers, let level) = exemption
        else { return }
        var left: [InheritedAgent.ExemptCgroup] = []
        for other in foreignCgroups {
            if cgroup?.removeForeign(other) ?? true {
                identifiers.remove(other.id)
            } else {
                left.append(other)
            }
        }
        foreignCgroups = left
        changeExemption(to: .cgroups(identifiers, level: level))
    }
}

extension AgentCgroup {
    /// What exempts this agent and those before it.
    static func exempting(_ own: Cgroup?, and others: [InheritedAgent.ExemptCgroup]) -> AgentExemption {
        guard let own else { return .mark }
        return .cgroups(Set(others.map(\.id)).union([own.id]), level: own.level)
    }
}
