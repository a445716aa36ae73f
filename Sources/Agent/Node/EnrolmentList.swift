internal import Addressing
internal import Capture
internal import Keeper
internal import Mesh
internal import XDS

/// Which pods the keeper was told to capture, and what to tell it when that changes.
struct EnrolmentList {
    /// What to say, in order, and what could not be said.
    struct Steps: Hashable {
        var messages: [ControllerToKeeper] = []
        var problems: [String] = []
    }

    private var told: [WorkloadUID: PodWish] = [:]
    private var isComplete = false

    /// From now on `pods` are to be captured, and no others. One that cannot be told of stays as it was told last, so
    /// that a mistake in its manifest does not take it out of the mesh. One without an address has not started (the
    /// container runtime brings it to the keeper), or is about to end: it stays as it was told last, too.
    mutating func replace(with pods: [EnrolledPod]) -> Steps {
        var steps = Steps()
        var wanted: [WorkloadUID: PodWish] = [:]
        for pod in pods {
            guard !pod.addresses.isEmpty else {
                wanted[pod.uid] = told[pod.uid]
                continue
            }
            let wish = PodWish(pod)
            do throws(KeeperError) {
                _ = try ControllerToKeeper.podWanted(wish).encoded()
                wanted[pod.uid] = wish
            } catch {
                wanted[pod.uid] = told[pod.uid]
                steps.problems.append("pod \(pod.namespace)/\(pod.name) cannot be captured as written: \(error)")
            }
        }
        for uid in told.keys.sorted() where wanted[uid] == nil { steps.messages.append(.podUnwanted(uid)) }
        for (uid, wish) in wanted.sorted(by: { $0.key < $1.key }) where told[uid] != wish {
            steps.messages.append(.podWanted(wish))
        }
        if !isComplete {
            isComplete = true
            steps.messages.append(.podsComplete)
        }
        told = wanted
        return steps
    }
}

extension PodWish {
    /// One that refuses plaintext: what else than TCP comes in is dropped, and inbound connections from before its
    /// enrolment are cut.
    init(_ pod: EnrolledPod) {
        let everywhere = [IPPrefix("0.0.0.0/0"), IPPrefix("::/0")].compactMap { $0 }
        let byPort = pod.excludedOutboundPorts.flatMap { port in
            everywhere.map { ExcludedDestination($0, ports: port...port) }
        }
        var options: Options = pod.isStrict ? [.dropsNonTCPInbound, .abortsOldInbound] : []
        if pod.bypassesInbound { options.insert(.bypassesInbound) }
        self.init(
            uid: pod.uid, namespace: pod.namespace, name: pod.name, podUID: pod.podUID, addresses: pod.addresses,
            excludedInboundPorts: pod.excludedInboundPorts,
            excludedOutbound: pod.excludedOutboundPrefixes.map { ExcludedDestination($0, ports: 0...UInt16.max) }
                + byPort,
            options: options)
    }
}
