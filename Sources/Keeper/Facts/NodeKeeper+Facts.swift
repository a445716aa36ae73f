internal import Capture
internal import Kernel

/// Somebody who is being told what the keeper knows. The loop holds the channel as long as something is to be sent; its
/// end is the end of the connection.
struct FactsReader {
    weak var channel: MessageChannel?
}

/// What the keeper tells of itself: to its worker, and to whoever connects to its socket.
extension NodeKeeper {
    /// Readers at a time; the oldest goes when there are more.
    private static let mostReaders = 16

    var facts: KeeperFacts {
        let all = allCounters
        var facts = KeeperFacts(
            exemption: exemption == .mark ? .mark : .cgroup, keeperPID: UInt32(clamping: CurrentProcess.pid),
            keeperResidentBytes: UInt64(clamping: CurrentProcess.residentBytes() ?? 0),
            workerRestarts: all.workerRestarts, controllerRestarts: all.controllerRestarts)
        facts.worker = workerFacts
        facts.controller = controllerFacts
        facts.handover = handoverFacts
        facts.otherAgentPID = otherAgentPID
        facts.counters = all
        facts.waitingUnenrolments = UInt32(clamping: unenrolments.waiting.count)
        facts.earlierConnections = UInt32(
            clamping: pods.values.reduce(0) { $0 + Int($1.captured?.uncapturedConnections ?? 0) })
        facts.stateBytes = stateBytes
        return facts
    }

    /// With what the parts count for themselves.
    var allCounters: KeeperCounters {
        var all = counters
        all.workerRestarts &+= workerSupervisor.restartCount
        all.controllerRestarts &+= controllerSupervisor.restartCount
        all.delayedUnenrolments &+= unenrolments.delayedCount
        return all
    }

    private var stateBytes: UInt64 {
        guard workerState != nil else { return 0 }
        return UInt64(clamping: workerStateSize)
    }

    private var handoverFacts: HandoverFacts {
        if giver.hasYielded { return .yielded }
        if giver.isOffering { return .handingOver }
        guard let takeover else { return .none }
        return takeover.isInCharge ? .predecessorDrains : .takingOver
    }

    private var otherAgentPID: UInt32 { takeover?.pid ?? successor?.pid ?? 0 }

    private var workerFacts: ChildFacts {
        var facts = ChildFacts()
        facts.lastEnd = lastEnds.worker
        if let worker {
            facts.pid = UInt32(clamping: worker.child.pid)
            facts.condition = isStopping ? .ending : worker.isReady ? .ready : .running
        } else if let until = workerSupervisor.restartsAt {
            facts.condition = .restarting
            facts.restartsIn = max(.zero, until - .now).drainMilliseconds
        }
        return facts
    }

    private var controllerFacts: ChildFacts {
        var facts = ChildFacts()
        facts.lastEnd = lastEnds.controller
        if let controller {
            facts.pid = UInt32(clamping: controller.child.pid)
            facts.condition = controllerSupervisor.isRunning ? .running : .ending
        } else if let until = controllerSupervisor.restartsAt {
            facts.condition = .restarting
            facts.restartsIn = max(.zero, until - .now).drainMilliseconds
        }
        return facts
    }

    // MARK: Telling whoever connects

    /// The facts, then every pod, then the end. Nothing is read: whoever says something is not told the rest.
    func tellFacts(to descriptor: consuming Descriptor) {
        readers.removeAll { $0.channel?.isClosed ?? true }
        if readers.count >= Self.mostReaders { readers.removeFirst().channel?.close() }
        do {
            let channel = try MessageChannel(MessageSocket(descriptor), loop: loop) { _, _, _ throws(KeeperError) in
                throw .malformed("nothing is to be said here")
            } onEnd: { _ in
            }
            readers.append(FactsReader(channel: channel))
            channel.send(KeeperToWorker.facts(facts))
            for pod in pods.values.sorted(by: { $0.wish.uid < $1.wish.uid }) {
                channel.send(KeeperToWorker.podState(pod.report))
            }
            channel.finish()
        } catch {
            log(.error, "what the keeper knows could not be told: \(error)")
        }
    }
}
