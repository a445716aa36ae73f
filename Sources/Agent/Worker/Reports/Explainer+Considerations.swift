internal import Mesh

extension ExplainReport.Consideration {
    /// What each policy says, in the order in which the authorizer asks.
    static func list(_ explanation: Explanation, in snapshot: MeshSnapshot) -> [Self] {
        explanation.considered.map { said in
            let policy = snapshot.policy(said.policy)
            return Self(
                policy: said.policy.description,
                kind: said.origin == .peerAuthentication ? "PeerAuthentication" : "AuthorizationPolicy",
                action: said.origin == .peerAuthentication ? "STRICT" : said.action.rawValue.uppercased(),
                scope: PoliciesReport.Item.Scope(policy?.scope ?? .workload), isDryRun: said.isDryRun,
                matches: said.matchingRule != nil, rule: said.matchingRule, decides: said.isDecisive,
                matched: said.matches.map(ExplainReport.Match.init), misses: said.misses.map(ExplainReport.Miss.init),
                notes: said.httpParts.isEmpty ? policy?.enforcementNotes ?? [] : said.httpParts.map(\.text))
        }
    }
}

extension ExplainReport.Match {
    init(_ match: FieldMatch) {
        self.init(field: match.field, value: match.value, was: match.was)
    }
}

extension ExplainReport.Miss {
    init(_ miss: PolicyMiss) {
        self.init(rule: miss.rule, field: miss.field, wanted: miss.wanted, was: miss.was)
    }
}

extension AuthorizationPolicy {
    /// What it was made from, as the user wrote it.
    var kindName: String { origin == .peerAuthentication ? "PeerAuthentication" : "AuthorizationPolicy" }

    /// What it does, as the user wrote it.
    var actionName: String { origin == .peerAuthentication ? "STRICT" : action.rawValue.uppercased() }

    /// How it is enforced differently from how it is written; empty if it is not.
    var enforcementNotes: [String] {
        if action == .custom {
            return ["no waypoint can ask its authorizer, so everything that its rules match is denied"]
        }
        guard httpParts.isEmpty else { return httpParts.map(\.text) }
        let rules = rulesWithoutFields
        guard !rules.isEmpty else { return [] }
        let names = rules.map(String.init).joined(separator: ", ")
        let what = "rule \(names) has fields that only a waypoint can look at (methods, paths, headers)"
        switch action {
        case .allow: return ["\(what): it never matches here"]
        case .deny, .custom: return ["\(what): it matches without regard to them"]
        case .audit: return ["\(what): it records without regard to them"]
        }
    }

    /// Rules of which something was taken out that needs HTTP, as far as that can be seen in what is left: a controller
    /// of another make does not say.
    private var rulesWithoutFields: [Int] {
        rules.indices.filter { index in
            rules[index].clauses.contains { clause in
                clause.matches.isEmpty || clause.matches.contains { $0.isEmpty }
            }
        }
    }
}
