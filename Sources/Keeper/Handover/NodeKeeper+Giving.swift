internal import Capture
internal import Kernel
internal import Mesh

/// An agent that came to the hand-over socket.
final class Successor {
    let channel: MessageChannel
    let since: ContinuousClock.Instant
    /// Whether its process is of user 0.
    let isAllowed: Bool
    var pid: UInt32 = 0
    var cgroupID: UInt64 = 0

    init(channel: MessageChannel, isAllowed: Bool, since: ContinuousClock.Instant) {
        self.channel = channel
        self.isAllowed = isAllowed
        self.since = since
    }
}

/// Handing over to the agent that comes next: everything is told, and nothing of it is touched until that one serves or
/// is gone.
extension NodeKeeper {
    /// How long somebody may stay at the socket without a hand-over.
    private static let visitLimit = Duration.seconds(5)

    /// Lets in whoever may come when this agent is in charge.
    func openDoors() throws(SystemError) {
        acceptors = [
            try UnixAcceptor(listeners[.handover], loop: loop) { [unowned self] in welcome($0) },
            try UnixAcceptor(listeners[.facts], loop: loop) { [unowned self] in tellFacts(to: $0) },
        ]
        try openPluginDesk()
    }

    func closeDoors() {
        for acceptor in acceptors { acceptor.close() }
        acceptors = []
        plugin.close()
    }

    private func welcome(_ descriptor: consuming Descriptor) {
        let isAllowed = (try? descriptor.peerCredentials().uid) == 0
        var made: MessageChannel?
        do {
            made = try MessageChannel(MessageSocket(descriptor), loop: loop) {
                [unowned self] channel, bytes, descriptors throws(KeeperError) in
                guard let visitor = visitors[ObjectIdentifier(channel)] else { return }
                receive(
                    try SuccessorToAgent(decoding: bytes, descriptorCount: descriptors.count), from: visitor)
            } onEnd: { [unowned self] _ in
                // The channel is not known by itself here: those that ended are found by their state.
                visitorsEnded()
            }
        } catch {
            log(.error, "an agent that wants to succeed this one cannot be heard: \(error)")
        }
        guard let made else { return }
        visitors[ObjectIdentifier(made)] = Successor(channel: made, isAllowed: isAllowed, since: loop.now)
    }

    private func visitorsEnded() {
        for (key, visitor) in visitors where visitor.channel.isClosed {
            visitors[key] = nil
            if visitor === successor { perform(giver.failed(), for: visitor) }
        }
    }

    private func receive(_ message: SuccessorToAgent, from visitor: Successor) {
        switch message {
        case .hello(let layout, let pid):
            visitor.pid = pid
            perform(
                giver.helloReceived(
                    layout: layout, isAllowed: visitor.isAllowed, isSettled: isInCharge, at: loop.now),
                for: visitor)
        case .claim(let cgroupID):
            guard visitor === successor else { return }
            visitor.cgroupID = cgroupID
            perform(giver.claimReceived(at: loop.now), for: visitor)
        case .serving:
            guard visitor === successor else { return }
            perform(giver.servingReceived(), for: visitor)
        }
    }

    private func perform(_ action: HandoverGiver.Action, for visitor: Successor) {
        switch action {
        case .none: break
        case .welcome:
            successor = visitor
            log(.info, "another agent (process \(visitor.pid)) starts and wants to take over")
            visitor.channel.send(
                AgentToSuccessor.welcome(
                    layout: HandoverLayout.current, pid: UInt32(clamping: CurrentProcess.pid),
                    exemption: exemption == .mark ? .mark : .cgroup, level: cgroup?.cgroup.level ?? 0))
        case .refuse(let refusal):
            log(.warning, "another agent (process \(visitor.pid)) wants to take over and may not: \(refusal)")
            visitor.channel.send(
                AgentToSuccessor.refused(
                    layout: HandoverLayout.current, pid: UInt32(clamping: CurrentProcess.pid), refusal))
            visitor.channel.finish()
            visitors = visitors.filter { $0.value !== visitor }
        case .offer: offer(to: visitor)
        case .yield: yield(to: visitor)
        case .close:
            successor = nil
            visitor.channel.close()
            visitors = visitors.filter { $0.value !== visitor }
        case .resume: resume(without: visitor)
        }
    }

    /// Every second: whoever takes too long.
    func checkHandover() {
        if let successor { perform(giver.timePassed(at: loop.now), for: successor) }
        for (key, visitor) in visitors where visitor !== successor && loop.now - visitor.since > Self.visitLimit {
            visitor.channel.close()
            visitors[key] = nil
        }
        if isInCharge { forgetForeignCgroups() }
    }

    // MARK: Telling everything

    private func offer(to visitor: Successor) {
        log(.info, "telling the other agent everything: \(pods.count) pods")
        if let searchTimer { loop.cancel(searchTimer) }
        searchTimer = nil
        exempt(visitor.cgroupID, isExempt: true)
        sendAgent(visitor.channel)
        for pod in pods.values.sorted(by: { $0.wish.uid < $1.wish.uid }) { send(pod, visitor.channel) }
        visitor.channel.send(AgentToSuccessor.complete(podCount: UInt32(clamping: pods.count)))
        worker?.control.send(KeeperToWorker.facts(facts))
    }

    private func sendAgent(_ channel: MessageChannel) {
        var cgroups: [InheritedAgent.ExemptCgroup] = []
        if let own = cgroup?.cgroup { cgroups.append(InheritedAgent.ExemptCgroup(path: own.path, id: own.id)) }
        // Those that do not fit lose their exemption early, and with it only connections that they still begin.
        var room = MessageLimits.path / 2
        for other in foreignCgroups where cgroups.count < MessageLimits.agents {
            room -= other.path.utf8.count
            if room >= 0 { cgroups.append(other) }
        }
        let message = InheritedAgent(
            cgroups: cgroups, adminPath: configuration.adminPath,
            hasState: workerState != nil, counters: allCounters)
        var numbers = [lock?.raw].compactMap(\.self) + listeners.rawNumbers
        if let state = workerState?.raw { numbers.append(state) }
        send(.agent(message), numbers, channel)
    }

    private func send(_ pod: Pod, _ channel: MessageChannel) {
        let earlier = pod.captured?.earlierConnections ?? []
        var rest = earlier[...]
        while !rest.isEmpty {
            let part = Array(rest.prefix(MessageLimits.connections))
            rest = rest.dropFirst(part.count)
            channel.send(AgentToSuccessor.earlier(pod.wish.uid, part))
        }
        let message = InheritedPod(
            wish: pod.wish,
            // One whose un-enrolment waits is not wanted by the other's controller either, which will not name it.
            isNamed: wishes[pod.wish.uid] == nil || wishes.isNamed(pod.wish.uid),
            containerID: pod.containerID ?? "", state: pod.inheritedState(at: loop.now),
            namespacePath: pod.captured?.tellablePath ?? "/", repairs: pod.captured?.repairCount ?? 0,
            earlierCount: UInt32(clamping: earlier.count))
        var numbers: [Int32] = []
        if let captured = pod.captured, message.state != .searching {
            numbers = [captured.namespace.descriptor.raw] + captured.listeners.rawNumbers
        }
        send(.pod(message), numbers, channel)
    }

    /// Copies of the descriptors go, so that they are the right ones however late they are sent.
    private func send(_ message: AgentToSuccessor, _ numbers: [Int32], _ channel: MessageChannel) {
        do {
            channel.send(message, try DescriptorList.duplicating(numbers))
        } catch {
            log(.error, "the other agent cannot be told: \(error)")
            channel.close()
            visitorsEnded()
        }
    }

    /// Adds the other agent's cgroup to every pod's set, or takes it out again.
    private func exempt(_ id: UInt64, isExempt: Bool) {
        guard id != 0, case .cgroups(var identifiers, let level) = exemption else { return }
        if isExempt { identifiers.insert(id) } else { identifiers.remove(id) }
        changeExemption(to: .cgroups(identifiers, level: level))
    }

    func changeExemption(to new: AgentExemption) {
        guard new != exemption else { return }
        exemption = new
        for pod in pods.values {
            do {
                try pod.captured?.replaceExemption(new)
            } catch {
                log(.error, "pod \(pod.name): the agents that are exempt could not be changed: \(error)")
            }
        }
    }

    // MARK: The end of it

    /// The other serves: from here on nothing but the worker's open connections is this agent's.
    private func yield(to visitor: Successor) {
        log(.info, "the other agent (process \(visitor.pid)) serves: ending")
        closeDoors()
        for pod in pods.values { pod.captured?.closeListeners() }
        listeners.close()
        lock = nil
        workerState = nil
        deferred = []
        visitor.channel.send(AgentToSuccessor.yielded)
        drainForGood()
    }

    /// The other is gone or does not come to serve: everything is as before.
    private func resume(without visitor: Successor) {
        counters.failedHandovers &+= 1
        log(.error, "the other agent (process \(visitor.pid)) did not take over: going on")
        successor = nil
        visitors = visitors.filter { $0.value !== visitor }
        visitor.channel.send(AgentToSuccessor.aborted)
        visitor.channel.finish()
        exempt(visitor.cgroupID, isExempt: false)
        let work = deferred
        deferred = []
        for step in work { step() }
        scheduleSearch()
        worker?.control.send(KeeperToWorker.facts(facts))
        endIfNothingIsLeft()
    }
}

extension CapturedPod {
    /// Where the namespace was last seen, or a place where it is not if that cannot be told: it is looked for then.
    fileprivate var tellablePath: String {
        let isPlain = path.hasPrefix("/") && !path.utf8.contains { $0 < 0x20 || $0 == 0x7f }
        return isPlain && path.utf8.count <= MessageLimits.path ? path : "/"
    }
}

extension Pod {
    fileprivate func inheritedState(at now: ContinuousClock.Instant) -> InheritedPod.State {
        guard captured != nil else { return .searching }
        if let deadline = enrolment.withdrawalDeadline {
            return .withdrawing(milliseconds: max(.zero, deadline - now).drainMilliseconds)
        }
        return enrolment.isCaptured ? .captured : .searching
    }
}
