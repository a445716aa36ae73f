import Addressing
import Controller
import Mesh
import Resources

/// Evaluates cases of `hack/differential.sh` the way the mesh does: manifests through decoder and builder into a
/// snapshot, connections through the authorizer.
///
/// Input, a line each: `O` and a manifest as JSON; `C` and a connection (pod, principal or `-`, source address,
/// destination address, port, with tabs between); `E` ends the case. Output: a line per connection with verdict,
/// reason, decider, dry run and audits, with tabs between.
@main
enum Verdicts {
    static func main() {
        var manifests: [String] = []
        var connections: [String] = []
        while let line = readLine() {
            let rest = String(line.dropFirst(2))
            switch line.first {
            case "O": manifests.append(rest)
            case "C": connections.append(rest)
            default:
                for answer in answers(manifests, connections) { print(answer) }
                manifests = []
                connections = []
            }
        }
    }

    private static func answers(_ manifests: [String], _ connections: [String]) -> [String] {
        let text = manifests.map { $0 + "\n---\n" }.joined()
        var catalogue = DirectoryCatalogue()
        catalogue.fileRead("case", ManifestFile(bytes: Array(text.utf8), file: "case"))
        catalogue.settle()
        if let problem = catalogue.problems.first(where: { $0.severity == .error }) {
            return connections.map { _ in "refused: \(problem)" }
        }
        guard let domain = TrustDomain("cluster.local") else { return [] }
        let built = MeshBuilder(MeshParameters(trustDomain: domain)).build(catalogue.manifests)
        let snapshot = MeshSnapshot(built.state.changes(from: MeshState()))
        return connections.map { answer($0, snapshot) }
    }

    private static func answer(_ connection: String, _ snapshot: MeshSnapshot) -> String {
        let parts = connection.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 5, let source = IPAddress(parts[2]), let destination = IPAddress(parts[3]),
            let port = UInt16(parts[4]), let workload = snapshot.workload(at: destination),
            "\(workload.namespace)/\(workload.name)" == parts[0]
        else { return "malformed" }
        let identity = parts[1] == "-" ? nil : SPIFFEID(uri: "spiffe://\(parts[1])")
        guard identity != nil || parts[1] == "-" else { return "malformed identity" }
        let facts = ConnectionFacts(
            source: identity, sourceAddress: source, destinationAddress: destination, destinationPort: port)
        return Authorizer.decide(facts, to: workload, in: snapshot).line
    }
}

extension Verdict {
    fileprivate var line: String {
        let audits = audited.map(\.description).joined(separator: ",")
        let effects = Set(dryRun.map(\.effect.rawValue)).sorted().joined(separator: "+")
        let dry =
            dryRun.isEmpty ? "-" : effects + ":" + dryRun.map(\.policy.description).sorted().joined(separator: ",")
        return [isAllowed ? "allow" : "deny", cause, decider, dry, audits.isEmpty ? "-" : audits]
            .joined(separator: "\t")
    }

    private var cause: String {
        switch basis {
        case .noAllowPolicy: "NO_ALLOW_POLICY"
        case .allowMatch: "ALLOW_MATCH"
        case .customMatch: "CUSTOM_DENY"
        case .denyMatch, .noAllowMatch, .notFromWaypoint: reason?.rawValue ?? "?"
        }
    }

    private var decider: String {
        if reason == .plaintextRefused { return "-" }
        if let policy, let rule { return "\(policy)[\(rule)]" }
        var names: [String] = []
        for miss in misses where names.last != miss.policy.description { names.append(miss.policy.description) }
        return names.isEmpty ? "-" : names.joined(separator: ",")
    }
}
