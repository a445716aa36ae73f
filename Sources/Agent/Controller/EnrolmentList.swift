internal import Addressing
internal import Capture
internal import Controller
internal import Keeper
internal import Mesh
internal import Resources

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
    /// that a mistake in its manifest does not take it out of the mesh.
    ///
    /// - Parameter strict: those that refuse plaintext: what else than TCP comes in is dropped, and inbound connections
    ///   from before their enrolment are cut.
    mutating func replace(with pods: [Controller.PodEnrolment], strict: Set<WorkloadUID> = []) -> Steps {
        var steps = Steps()
        var wanted: [WorkloadUID: PodWish] = [:]
        for pod in pods {
            let wish = PodWish(pod, isStrict: strict.contains(pod.workload))
            do throws(KeeperError) {
                _ = try ControllerToKeeper.podWanted(wish).encoded()
                wanted[pod.workload] = wish
            } catch {
                wanted[pod.workload] = told[pod.workload]
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
    init(_ pod: Controller.PodEnrolment, isStrict: Bool) {
        let exclusions = pod.exclusions
        let everywhere = [IPPrefix("0.0.0.0/0"), IPPrefix("::/0")].compactMap { $0 }
        let byPort = exclusions.outboundPorts.flatMap { port in
            everywhere.map { ExcludedDestination($0, ports: port...port) }
        }
        self.init(
            uid: pod.workload, namespace: pod.namespace, name: pod.name, addresses: pod.addresses,
            excludedInboundPorts: exclusions.inboundPorts,
            excludedOutbound: exclusions.outboundPrefixes.map { ExcludedDestination($0, ports: 0...UInt16.max) }
                + byPort,
            options: isStrict ? [.dropsNonTCPInbound, .abortsOldInbound] : [])
    }
}
