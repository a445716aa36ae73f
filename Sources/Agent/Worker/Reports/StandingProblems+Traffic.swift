internal import Mesh
internal import Telemetry

extension StandingProblems {
    /// Traffic that is older than this, in seconds, is no news.
    private static let trafficIsNews: Int64 = 900
    /// More than these are told as one number.
    private static let mostEdges = 10

    var trafficProblems: [Problem] { plaintextProblems + dryRunProblems }

    /// Servers of this node that took connections without identity, because nothing said that they must not.
    private var plaintextProblems: [Problem] {
        var counts: [String: UInt64] = [:]
        for edge in edges
        where edge.key.direction == .inbound && edge.openedInPlaintext > 0 && now - edge.lastSeen < Self.trafficIsNews {
            counts["\(edge.key.destination.namespace)/\(edge.key.destination.workload)", default: 0] &+=
                edge.openedInPlaintext
        }
        let names = counts.keys.sorted()
        let shown = names.prefix(Self.mostEdges).map { name in
            let count = counts[name] ?? 0
            let words = count == 1 ? "1 connection" : "\(count) connections"
            return plaintextProblem(name, "it took \(words) from clients outside the mesh")
        }
        let rest = names.count - shown.count
        return shown + (rest > 0 ? [plaintextProblem("\(rest) more workloads", "they took some, too")] : [])
    }

    private func plaintextProblem(_ object: String, _ cause: String) -> Problem {
        Problem(
            code: .plaintextByPolicy, severity: .warning, object: object, cause: cause,
            effect: "those are neither encrypted nor known by identity",
            tryCommand: "meshnode edges --plaintext")
    }

    /// What policies in dry run would have done to the connections of late.
    private var dryRunProblems: [Problem] {
        guard snapshot.policies.contains(where: \.isDryRun) else { return [] }
        var denials: [NamespacedName: Int] = [:]
        for flow in flows
        where flow.reason == nil && now - flow.secondsSince1970 < Self.trafficIsNews {
            guard let workload = snapshot.workload(flow.destination) else { continue }
            let verdict = Authorizer.decide(flow.facts, to: workload, in: snapshot)
            for outcome in verdict.dryRun where outcome.effect == .wouldDeny {
                denials[outcome.policy, default: 0] += 1
            }
        }
        return denials.sorted { $0.key < $1.key }.map { policy, count in
            Problem(
                code: .dryRunWouldDeny, severity: .warning, object: "AuthorizationPolicy \(policy)",
                cause: "in dry run it would have refused \(count) of the last connections that were allowed",
                effect: "none while it is in dry run", tryCommand: "meshnode policies -o wide")
        }
    }
}
