package import Mesh
internal import Telemetry
internal import Transport

/// What the loop decides on: it comes in as values, and what runs is looked at again.
extension ProxyLoop {
    /// A new state of the mesh: pods find their records, and every connection is judged again if the answer may be
    /// another.
    package func update(_ snapshot: MeshSnapshot) {
        let old = self.snapshot
        self.snapshot = snapshot
        if !isDraining { for pod in pods.values { pod.refresh() } }
        let concerned = withdrawn.union(pods.keys)
        if snapshot.mayJudgeOtherwise(than: old, about: concerned) {
            for connection in connections.all { connection.reevaluate() }
        }
        withdrawn = withdrawn.filter { snapshot.workload($0) != nil }
        load.forget { snapshot.workload($0) == nil }
    }

    /// Certificates, bundles or revocations were put into `identities`, or taken out: pods that waited for theirs
    /// accept, and tunnels whose certificates are worth less than before are replaced, or cut.
    package func identitiesChanged() {
        if !isDraining { for pod in pods.values { pod.refresh() } }
        tunnels.reviewTrust()
        inboundTunnels.reviewTrust()
        for connection in connections.all { connection.reviewTrust() }
    }

    func route(to destination: OriginalDestination, from source: Workload, excluding tried: Set<WorkloadUID>) -> Route {
        load.now = now
        return Router.route(
            destination, from: source, in: snapshot, load: load, randomBits: generator.next(), excluding: tried)
    }

    func judge(_ facts: ConnectionFacts, at workload: Workload) -> Verdict {
        Authorizer.decide(facts, to: workload, in: snapshot)
    }

    /// As `judge`, counted: for a connection to `pod` that begins.
    func decide(_ facts: ConnectionFacts, at workload: Workload, of pod: LocalPod) -> Verdict {
        let judgement = pod.judgement(on: facts) { journal.judgement(judge(facts, at: workload)) }
        let verdict = judgement.verdict
        journal.decided(
            judgement,
            Flow(facts: facts, destination: workload.uid, reason: verdict.reason, secondsSince1970: wallClock()))
        return verdict
    }
}
