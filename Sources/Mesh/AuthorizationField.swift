import Addressing

/// A field of a match, to say which one did not match.
enum AuthorizationField: Hashable, Sendable, CaseIterable {
    case principals, notPrincipals
    case namespaces, notNamespaces
    case serviceAccounts, notServiceAccounts
    case sourceIPs, notSourceIPs
    case destinationIPs, notDestinationIPs
    case destinationPorts, notDestinationPorts
    /// The match has no fields at all, or the clause no matches.
    case nothing

    /// The field as the user writes it in a clause of that kind.
    func path(in kind: AuthorizationClause.Kind) -> String {
        switch kind {
        case .from: self == .nothing ? "from[].source" : "from[].source.\(name)"
        case .to: self == .nothing ? "to[].operation" : "to[].operation.\(name)"
        case .when: self == .nothing ? "when[]" : "when[\(conditionKey)].\(isNegative ? "notValues" : "values")"
        }
    }

    private var isNegative: Bool {
        switch self {
        case .notPrincipals, .notNamespaces, .notServiceAccounts, .notSourceIPs, .notDestinationIPs,
            .notDestinationPorts:
            true
        case .principals, .namespaces, .serviceAccounts, .sourceIPs, .destinationIPs, .destinationPorts, .nothing:
            false
        }
    }

    private var name: String {
        switch self {
        case .principals: "principals"
        case .notPrincipals: "notPrincipals"
        case .namespaces: "namespaces"
        case .notNamespaces: "notNamespaces"
        case .serviceAccounts: "serviceAccounts"
        case .notServiceAccounts: "notServiceAccounts"
        case .sourceIPs, .destinationIPs: "ipBlocks"
        case .notSourceIPs, .notDestinationIPs: "notIpBlocks"
        case .destinationPorts: "ports"
        case .notDestinationPorts: "notPorts"
        case .nothing: ""
        }
    }

    private var conditionKey: String {
        switch self {
        case .principals, .notPrincipals: "source.principal"
        case .namespaces, .notNamespaces: "source.namespace"
        case .serviceAccounts, .notServiceAccounts: "source.serviceAccount"
        case .sourceIPs, .notSourceIPs: "source.ip"
        case .destinationIPs, .notDestinationIPs: "destination.ip"
        case .destinationPorts, .notDestinationPorts: "destination.port"
        case .nothing: ""
        }
    }

    /// The values that the field has in `match`, as a sentence has them.
    func wanted(in match: AuthorizationMatch) -> String {
        switch self {
        case .principals: Self.any(match.principals)
        case .notPrincipals: Self.none(match.notPrincipals)
        case .namespaces: Self.any(match.namespaces)
        case .notNamespaces: Self.none(match.notNamespaces)
        case .serviceAccounts: Self.any(match.serviceAccounts)
        case .notServiceAccounts: Self.none(match.notServiceAccounts)
        case .sourceIPs: Self.any(match.sourceIPs)
        case .notSourceIPs: Self.none(match.notSourceIPs)
        case .destinationIPs: Self.any(match.destinationIPs)
        case .notDestinationIPs: Self.none(match.notDestinationIPs)
        case .destinationPorts: Self.any(match.destinationPorts)
        case .notDestinationPorts: Self.none(match.notDestinationPorts)
        case .nothing: "at least one field"
        }
    }

    /// What the connection has there.
    func actual(in facts: ConnectionFacts) -> String {
        switch self {
        case .principals, .notPrincipals: facts.source?.principal ?? Self.anonymous
        case .namespaces, .notNamespaces: facts.source?.namespace ?? Self.anonymous
        case .serviceAccounts, .notServiceAccounts:
            facts.source.map { "\($0.namespace)/\($0.serviceAccount)" } ?? Self.anonymous
        case .sourceIPs, .notSourceIPs: facts.sourceAddress.description
        case .destinationIPs, .notDestinationIPs: facts.destinationAddress.description
        case .destinationPorts, .notDestinationPorts: String(facts.destinationPort)
        case .nothing: "none"
        }
    }

    private static let anonymous = "no identity"

    private static func any(_ values: [some CustomStringConvertible]) -> String {
        values.map(\.description).joined(separator: " or ")
    }

    private static func none(_ values: [some CustomStringConvertible]) -> String {
        "anything but " + any(values)
    }
}

extension StringMatch: CustomStringConvertible {
    /// As policies spell it.
    package var description: String {
        switch self {
        case .exact(let text): text
        case .prefix(let text): text + "*"
        case .suffix(let text): "*" + text
        case .presence: "*"
        }
    }
}
