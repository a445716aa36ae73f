import Addressing
import Mesh

extension Subject {
    /// The verdict on a connection with 1,000 policies: spread over the mesh, and all on one workload.
    static let authorization: [Subject] = [
        Subject(
            name: "authorize-spread", summary: "1,000 policies in 100 namespaces, 10 apply, the last one allows",
            iterations: 2_000
        ) {
            try authorize((0..<1_000).map { try policy($0, of: SampleMesh.namespace($0)) })
        },
        Subject(
            name: "authorize-stacked", summary: "1,000 policies that all apply, the last one allows", iterations: 100
        ) {
            try authorize((0..<1_000).map { try policy($0 * SampleMesh.namespaceCount, of: SampleMesh.namespace(0)) })
        },
    ]

    /// The policy whose number is `index`: it lets in one service account, by its principal, on one port.
    private static func policy(_ index: Int, of namespace: String) throws -> AuthorizationPolicy {
        var from = AuthorizationMatch()
        from.principals = [.exact("\(try SampleMesh.trustDomain)/ns/clients/sa/client-\(index)")]
        var to = AuthorizationMatch()
        to.destinationPorts = [8080]
        let clauses = [
            AuthorizationClause(kind: .from, matches: [from]), AuthorizationClause(kind: .to, matches: [to]),
        ]
        // Zeros in front, so that the order of the names is that of the numbers.
        let number = String(1_000_000 + index)
        return AuthorizationPolicy(
            name: NamespacedName(namespace: namespace, name: "policy-\(number)"), scope: .namespace, action: .allow,
            rules: [AuthorizationRule(clauses: clauses)])
    }

    private static func authorize(_ policies: [AuthorizationPolicy]) throws -> (Int) throws -> Void {
        let snapshot = try SampleMesh.snapshot(policies: policies)
        let workload = try SampleMesh.workload(0)
        guard let last = snapshot.policies(for: workload).last,
            case .exact(let principal)? = last.rules.first?.clauses.first?.matches.first?.principals.first,
            let source = SPIFFEID(uri: "spiffe://\(principal)")
        else { throw SampleMesh.Impossible() }
        let facts = ConnectionFacts(
            source: source, sourceAddress: SampleMesh.workloadAddress(1),
            destinationAddress: SampleMesh.workloadAddress(0), destinationPort: 8080)
        guard Authorizer.decide(facts, to: workload, in: snapshot).isAllowed else { throw SampleMesh.Impossible() }
        return { count in
            for _ in 0..<count { use(Authorizer.decide(facts, to: workload, in: snapshot)) }
        }
    }
}
