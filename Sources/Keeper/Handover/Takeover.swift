internal import Capture
internal import Kernel
internal import Mesh

/// What an agent that just starts was given by the one that runs, and the connection to that one.
final class Takeover {
    /// One pod, with what came with it.
    struct Pod {
        let inherited: InheritedPod
        let descriptors: DescriptorList
        let earlier: [ConnectionEnds]
    }

    private var socket: MessageSocket?
    private(set) var taker: HandoverTaker
    /// The other agent's process.
    private(set) var pid: UInt32 = 0
    /// This agent's own; nil where agents are told by their mark.
    private(set) var cgroup: AgentCgroup?
    private(set) var agent: InheritedAgent?
    private(set) var descriptors = DescriptorList()
    private(set) var pods: [Pod] = []
    private var earlier: [ConnectionEnds] = []

    /// How long the other may take to tell everything.
    private static let patience = Duration.seconds(20)

    private init(_ socket: consuming MessageSocket, exemption: ExemptionMode) {
        self.socket = consume socket
        taker = HandoverTaker(exemption: exemption)
    }

    /// Asks the agent that runs for everything. Blocks; called before anything else is opened.
    /// - Returns: nil if nobody is there to give anything.
    /// - Throws: `handover` if the other goes on by itself, or says what makes no sense.
    static func attempt(_ configuration: KeeperConfiguration) throws(KeeperError) -> Takeover? {
        do {
            let descriptor = try UnixSocket.connect(configuration.handoverPath, .messages)
            guard try descriptor.peerCredentials().uid == 0 else {
                throw SystemError("hand-over: the agent that runs is not of user 0", SystemError.notPermitted)
            }
            try descriptor.setNonblocking(true)
            let takeover = Takeover(MessageSocket(descriptor), exemption: AgentCgroup.isPossible ? .cgroup : .mark)
            return try takeover.takesAll() ? takeover : nil
        } catch let error as KeeperError {
            throw error
        } catch let error as SystemError {
            if error.isMissingFile || error.isConnectionRefused { return nil }
            throw KeeperError(.handover, "the agent that runs cannot be succeeded: \(error)")
        } catch {
            throw KeeperError(.handover, "the agent that runs cannot be succeeded: \(error)")
        }
    }

    /// The connection, for the loop; nil if it was taken before.
    func takeSocket() -> MessageSocket? { socket.take() }

    /// The listeners, in the order of `AgentListeners.Name`.
    func takeListeners() -> DescriptorList {
        let list = DescriptorList()
        for index in 1...AgentListeners.Name.allCases.count {
            if let listener = descriptors.take(at: index) { list.append(listener) }
        }
        return list
    }

    /// What the other's worker left.
    func takeState() -> Descriptor? { descriptors.take(at: 1 + AgentListeners.Name.allCases.count) }

    /// The pods; none if they were taken before.
    func takePods() -> [Pod] {
        defer { pods = [] }
        return pods
    }

    /// Whether the other touches nothing any more.
    var isInCharge: Bool { taker.isInCharge }

    // What an agent does with it later; see `HandoverTaker`.
    func workerReady() -> HandoverTaker.Action { taker.workerReady() }
    func yielded() -> HandoverTaker.Action { taker.yielded() }
    func aborted() -> HandoverTaker.Action { taker.aborted() }
    func connectionEnded() -> HandoverTaker.Action { taker.connectionEnded() }

    /// - Returns: false if the other is gone before all was there.
    private func takesAll() throws -> Bool {
        let deadline = ContinuousClock.now + Self.patience
        try send(.hello(layout: HandoverLayout.current, pid: UInt32(clamping: CurrentProcess.pid)))
        while true {
            let action: HandoverTaker.Action
            switch try receive(until: deadline) {
            case .message(let bytes, let descriptors):
                action = try receive(
                    AgentToSuccessor(decoding: bytes, descriptorCount: descriptors.count), descriptors)
            case .closed: action = taker.connectionEnded()
            case .oversized: throw KeeperError(.handover, "the agent that runs sends a message over the limit")
            case .lostDescriptors:
                throw KeeperError(.handover, "no descriptors are left to take over what the agent that runs has")
            case .wouldBlock:
                throw KeeperError(.handover, "the agent that runs (process \(pid)) does not hand over in time")
            }
            switch action {
            case .none, .sayServing, .takeCharge: continue
            case .claim(let level): try claim(level)
            case .adopt: return true
            case .startAnew: return false
            case .giveUp(let reason):
                throw KeeperError(
                    .handover, "the agent that runs (process \(pid)) does not hand over: \(reason)")
            }
        }
    }

    private func receive(
        _ message: AgentToSuccessor, _ descriptors: DescriptorList
    ) -> HandoverTaker.Action {
        switch message {
        case .welcome(let layout, let pid, let exemption, let level):
            self.pid = pid
            return taker.welcomed(layout: layout, exemption: exemption, level: level)
        case .refused(let layout, let pid, let refusal):
            self.pid = pid
            return taker.refused(layout: layout, refusal)
        case .agent(let agent):
            self.agent = agent
            self.descriptors = descriptors
            return taker.agentArrived()
        case .earlier(let uid, let connections):
            earlier += connections
            return taker.earlierArrived(of: uid, count: connections.count)
        case .pod(let pod):
            pods.append(Pod(inherited: pod, descriptors: descriptors, earlier: earlier))
            earlier = []
            return taker.podArrived(pod)
        case .complete(let count): return taker.completed(podCount: count)
        case .yielded: return taker.yielded()
        case .aborted: return taker.aborted()
        }
    }

    /// Enters a cgroup that one rule can tell together with the other's, then asks for it to be exempt.
    private func claim(_ level: UInt32) throws {
        guard level > 0 else { return try send(.claim(cgroupID: 0)) }
        do {
            let own = try AgentCgroup.enter(level: level)
            cgroup = own
            try send(.claim(cgroupID: own.cgroup.id))
        } catch let error as SystemError where error.code == SystemError.outOfRange {
            throw KeeperError(
                .handover,
                "the agent that runs (process \(pid)) is told by cgroups of level \(level), and this one would be deeper "
                    + "(\(error.call)): start it where the other was started, or stop the other first")
        }
    }

    private func send(_ message: SuccessorToAgent) throws {
        let bytes = try message.encoded()
        // The few that are sent here always fit; if the other is gone, the next read says so.
        _ = try socket?.send(bytes)
    }

    private func receive(until deadline: ContinuousClock.Instant) throws(SystemError) -> ReceivedMessage {
        while true {
            guard let received = try socket?.receive() else { return .closed }
            guard case .wouldBlock = received else { return received }
            guard try socket?.waitUntilReadable(until: deadline) == true else { return .wouldBlock }
        }
    }
}
