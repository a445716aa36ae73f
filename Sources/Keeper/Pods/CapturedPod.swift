internal import Addressing
internal import Capture
internal import Kernel
internal import Mesh

/// A pod whose namespace is captured: what the keeper has open in it, and what it does with it.
///
/// Its end closes the listeners and lets go of the namespace; the rules stay unless `delete` was called.
final class CapturedPod {
    let namespace: NetworkNamespace
    /// Those of 15001, 15006 and 15008, for each worker that is started; none once new connections are not captured.
    private(set) var listeners: DescriptorList
    /// How it is captured.
    private(set) var appliedWish: PodWish
    private let capture: PodCapture
    private var exemption: AgentExemption
    private var earlier: EarlierConnections
    /// How often the rules were set right.
    private(set) var repairCount: UInt32 = 0
    /// Connections from before the capture that were aborted; taken by whoever counts them.
    var abortedCount: UInt32 = 0
    /// Where the namespace was last seen, to see cheaply whether it still is there.
    var path: String
    /// Looks in a row at which it was not.
    var missedLooks = 0

    /// Opens the listeners, then captures: so no connection is ever redirected to a port that nobody listens on.
    /// Ends with a look at what the kernel made of it.
    /// - Throws: `enrolment` or `addressInUse`; nothing of it is left then. Only where the rules are not those that
    ///   were set do they stay, so that the pod is not open.
    init(_ found: FoundNamespace, wish: PodWish, exemption: AgentExemption) throws(KeeperError) {
        namespace = found.namespace
        path = found.path
        self.exemption = exemption
        appliedWish = wish
        let plan = PodCapturePlan(wish, exemption: exemption)
        var aborted = 0
        do {
            (listeners, earlier, capture) = try found.namespace.perform {
                let listeners = try PodSockets.openListeners()
                let capture = try PodCapture()
                var earlier = try EarlierConnections(besides: listeners.count)
                try capture.enrol(plan)
                try? earlier.noteLate()
                if wish.options.contains(.abortsOldInbound) { aborted = (try? earlier.abortInbound()) ?? 0 }
                try PodSockets.probe()
                return (listeners, earlier, capture)
            }
        } catch let error as KeeperError {
            throw error
        } catch {
            throw KeeperError(.enrolment, "\(error)")
        }
        abortedCount = UInt32(clamping: aborted)
        if let drift = capture.verify() {
            throw KeeperError(.enrolment, "the kernel's rules are not those that were set (\(drift))")
        }
    }

    /// Goes on with what an agent before this one captured: nothing is closed in between, and captured connections go
    /// on.
    /// - Parameter listeners: none for a pod whose new connections are not captured any more.
    /// - Throws: `enrolment`; the rules are then as the other left them.
    init(
        adopting found: FoundNamespace, _ inherited: InheritedPod, listeners: DescriptorList,
        earlier: [ConnectionEnds], exemption: AgentExemption
    ) throws(KeeperError) {
        namespace = found.namespace
        path = found.path
        self.exemption = exemption
        self.listeners = listeners
        appliedWish = inherited.wish
        repairCount = inherited.repairs
        self.earlier = EarlierConnections(earlier)
        let plan = PodCapturePlan(inherited.wish, exemption: exemption)
        do {
            capture = try found.namespace.perform {
                let capture = try PodCapture()
                if inherited.state == .captured { try capture.enrol(plan) }
                return capture
            }
        } catch {
            throw KeeperError(.enrolment, "\(error)")
        }
    }

    /// Connections that were there before the capture and still are.
    var uncapturedConnections: UInt32 { UInt32(clamping: earlier.count) }

    /// These, all of them.
    var earlierConnections: [ConnectionEnds] { earlier.list }

    /// Captures otherwise from now on; connections go on.
    /// - Throws: `enrolment`; it is captured as before then.
    func apply(_ wish: PodWish) throws(KeeperError) {
        let plan = PodCapturePlan(wish, exemption: exemption)
        do {
            try namespace.perform { try capture.enrol(plan) }
        } catch {
            throw KeeperError(.enrolment, "\(error)")
        }
        appliedWish = wish
        abortEarlier()
    }

    /// Changes which agents' sockets are exempt; connections go on.
    /// - Throws: `enrolment`; the exemption is as before then.
    func replaceExemption(_ exemption: AgentExemption) throws(KeeperError) {
        do {
            try capture.replaceExemption(exemption)
        } catch {
            throw KeeperError(.enrolment, "\(error)")
        }
        self.exemption = exemption
    }

    /// Looks whether the kernel's state is as wanted and sets it right if not.
    /// - Returns: what was different; nil if nothing.
    /// - Throws: `enrolment` if it could not be set right.
    func verify() throws(KeeperError) -> String? {
        guard let drift = capture.verify() else { return nil }
        do {
            try capture.repair()
        } catch {
            throw KeeperError(.enrolment, "changed by another (\(drift)) and not to be repaired: \(error)")
        }
        repairCount &+= 1
        return drift.description
    }

    /// Counts again what is left of the earlier connections, and aborts those that are forbidden now.
    /// - Returns: whether the count changed.
    func recountEarlier() -> Bool {
        guard earlier.count > 0 else { return false }
        let former = earlier.count
        abortEarlier()
        try? namespace.performSystemCalls { () throws(SystemError) in try earlier.refresh() }
        return earlier.count != former
    }

    private func abortEarlier() {
        guard appliedWish.options.contains(.abortsOldInbound), earlier.count > 0 else { return }
        let count = try? namespace.performSystemCalls { () throws(SystemError) in try earlier.abortInbound() }
        abortedCount &+= UInt32(clamping: count ?? 0)
    }

    /// Sockets for the worker.
    func makeSockets(_ family: IPAddress.Family, count: Int) throws(SystemError) -> DescriptorList {
        try namespace.performSystemCalls { () throws(SystemError) in try PodSockets.open(family, count: count) }
    }

    /// New connections are no longer captured; the listeners of the keeper close.
    func stopCapturing() throws(KeeperError) {
        closeListeners()
        do {
            try capture.stopCapturing()
        } catch {
            throw KeeperError(.enrolment, "\(error)")
        }
    }

    /// They are closed here, wherever else they are open.
    func closeListeners() {
        listeners = DescriptorList()
    }

    /// Captured connections that are open: those on the agent's ports.
    func openConnections() -> Int {
        let all = try? namespace.performSystemCalls { () throws(SystemError) in
            try SocketDiagnosis().establishedConnections()
        }
        return (all ?? []).filter { PodSockets.listenerPorts.contains($0.local.port) }.count
    }

    /// Takes the rules out of the namespace.
    func delete() throws(KeeperError) {
        do {
            try capture.delete()
        } catch {
            throw KeeperError(.enrolment, "\(error)")
        }
    }
}

extension PodCapturePlan {
    /// What `wish` asks for, for an agent that is told by `exemption`.
    init(_ wish: PodWish, exemption: AgentExemption) {
        self.init(exemption: exemption)
        excludedInbound = Set(wish.excludedInboundPorts)
        excludedOutbound = Set(wish.excludedOutbound)
        hasIPv6 = wish.addresses.contains { $0.family == .v6 }
        bypassesInbound = wish.options.contains(.bypassesInbound)
        nonTCPOutbound = wish.options.contains(.dropsNonTCPOutbound) ? .drop : .pass
        nonTCPInbound = wish.options.contains(.dropsNonTCPInbound) ? .drop : .pass
    }
}
