internal import Addressing
internal import Capture
internal import Kernel
internal import Mesh

/// A pod whose namespace is captured: what the keeper has open in it, and what it does with it.
///
/// Its end closes the listeners and lets go of the namespace; the rules stay unless `delete` was called.
final class CapturedPod {
    let namespace: NetworkNamespace
    /// Those of 15001, 15006 and 15008, for each worker that is started.
    private(set) var listeners: DescriptorList
    /// How it is captured.
    private(set) var appliedWish: PodWish
    private let capture: PodCapture
    private let exemption: AgentExemption
    private var earlier: EarlierConnections
    /// How often the rules were set right.
    private(set) var repairCount: UInt32 = 0
    /// Where the namespace was last seen, to see cheaply whether it still is there.
    var path: String
    /// Looks in a row at which it was not.
    var missedLooks = 0

    /// Opens the listeners, then captures: so no connection is ever redirected to a port that nobody listens on.
    /// - Throws: `enrolment` or `addressInUse`; nothing of it is left then.
    init(_ found: FoundNamespace, wish: PodWish, exemption: AgentExemption) throws(KeeperError) {
        namespace = found.namespace
        path = found.path
        self.exemption = exemption
        appliedWish = wish
        let plan = PodCapturePlan(wish, exemption: exemption)
        do {
            (listeners, earlier, capture) = try found.namespace.perform {
                let listeners = try PodSockets.openListeners()
                let capture = try PodCapture()
                let earlier = try EarlierConnections()
                try capture.enrol(plan)
                if wish.options.contains(.abortsOldInbound) { try? earlier.abortInbound() }
                return (listeners, earlier, capture)
            }
        } catch let error as KeeperError {
            throw error
        } catch {
            throw KeeperError(.enrolment, "\(error)")
        }
    }

    /// Connections that were there before the capture and still are.
    var uncapturedConnections: UInt32 { UInt32(clamping: earlier.count) }

    /// Captures otherwise from now on; connections go on.
    /// - Throws: `enrolment`; it is captured as before then.
    func apply(_ wish: PodWish) throws(KeeperError) {
        let plan = PodCapturePlan(wish, exemption: exemption)
        do {
            try namespace.perform {
                try capture.enrol(plan)
                if wish.options.contains(.abortsOldInbound) { try? earlier.abortInbound() }
            }
        } catch {
            throw KeeperError(.enrolment, "\(error)")
        }
        appliedWish = wish
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

    /// Counts again what is left of the earlier connections.
    /// - Returns: whether the count changed.
    func recountEarlier() -> Bool {
        guard earlier.count > 0 else { return false }
        let former = earlier.count
        try? namespace.performSystemCalls { () throws(SystemError) in try earlier.refresh() }
        return earlier.count != former
    }

    /// Sockets for the worker.
    func makeSockets(_ family: IPAddress.Family, count: Int) throws(SystemError) -> DescriptorList {
        try namespace.performSystemCalls { () throws(SystemError) in try PodSockets.open(family, count: count) }
    }

    /// New connections are no longer captured; the listeners of the keeper close.
    func stopCapturing() throws(KeeperError) {
        listeners = DescriptorList()
        do {
            try capture.stopCapturing()
        } catch {
            throw KeeperError(.enrolment, "\(error)")
        }
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
