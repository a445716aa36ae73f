import Addressing

/// One field of the rule that matched, and what in it did.
package struct FieldMatch: Hashable, Sendable {
    /// As the user writes it, such as `from[].source.principals`.
    package let field: String
    /// The policy's value that the connection's agrees with; of a negated field, what it is not.
    package let value: String
    /// What the connection has there.
    package let was: String

    package init(field: String, value: String, was: String) {
        self.field = field
        self.value = value
        self.was = was
    }

    /// `from[].source.principals is td/ns/shop/sa/web: */sa/web`.
    package var text: String { "\(field) is \(was): \(value)" }
}

extension AuthorizationPolicy {
    /// Which fields made the rule at `position` match: of each clause the first source, operation or condition that
    /// does. Empty for a rule that matches everything.
    func fieldMatches(ofRuleAt position: Int, _ facts: ConnectionFacts) -> [FieldMatch] {
        guard rules.indices.contains(position) else { return [] }
        return rules[position].clauses.flatMap { clause -> [FieldMatch] in
            let match = clause.matches.first { $0.firstMiss(facts, doubtMatches: action.doubtMatches) == nil }
            guard let match else { return [] }
            return AuthorizationField.allCases.compactMap { field in
                guard let value = field.decisiveValue(in: match, facts) else { return nil }
                return FieldMatch(field: field.path(in: clause.kind), value: value, was: field.actual(in: facts))
            }
        }
    }
}

extension AuthorizationField {
    /// Of a field that `facts` satisfy: its first value that agrees, or all of them if it is negated. Nil if the field
    /// has no values.
    fileprivate func decisiveValue(in match: AuthorizationMatch, _ facts: ConnectionFacts) -> String? {
        func first<Value: CustomStringConvertible>(_ values: [Value], _ agrees: (Value) -> Bool) -> String? {
            values.first(where: agrees)?.description
        }
        func all(_ values: [some CustomStringConvertible]) -> String? { values.isEmpty ? nil : wanted(in: match) }
        let source = facts.source
        return switch self {
        case .principals: first(match.principals) { value in source.map { value.matches($0) } ?? false }
        case .namespaces: first(match.namespaces) { value in source.map { value.matches($0.namespace) } ?? false }
        case .serviceAccounts:
            first(match.serviceAccounts) { $0.namespace == source?.namespace && $0.name == source?.serviceAccount }
        case .sourceIPs: first(match.sourceIPs) { $0.contains(facts.sourceAddress) }
        case .destinationIPs: first(match.destinationIPs) { $0.contains(facts.destinationAddress) }
        case .destinationPorts: first(match.destinationPorts) { $0 == facts.destinationPort }
        case .notPrincipals: all(match.notPrincipals)
        case .notNamespaces: all(match.notNamespaces)
        case .notServiceAccounts: all(match.notServiceAccounts)
        case .notSourceIPs: all(match.notSourceIPs)
        case .notDestinationIPs: all(match.notDestinationIPs)
        case .notDestinationPorts: all(match.notDestinationPorts)
        case .nothing: nil
        }
    }
}
