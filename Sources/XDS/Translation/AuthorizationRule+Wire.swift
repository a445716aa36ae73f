import Addressing
import Mesh
import SwiftProtobuf

// Values to messages.

// What is empty means different things on both sides. Of the wire: a clause without matches always matches, a match
// without fields never does. Of the mesh: both never match in an ALLOW and always in the other actions.

extension AuthorizationRule {
    func message(in action: AuthorizationPolicy.Action) -> Istio_Security_Rule {
        var message = Istio_Security_Rule()
        message.clauses = clauses.map { clause in
            var message = Istio_Security_Clause()
            message.matches = clause.wireMatches(in: action)
            switch clause.kind {
            case .from: message.kind = .clauseFrom
            case .to: message.kind = .clauseTo
            case .when: message.kind = .clauseWhen
            }
            return message
        }
        return message
    }
}

extension AuthorizationClause {
    fileprivate func wireMatches(in action: AuthorizationPolicy.Action) -> [Istio_Security_Match] {
        if action == .allow { return matches.isEmpty ? [Istio_Security_Match()] : matches.map(\.message) }
        return matches.contains(where: \.isEmpty) ? [] : matches.map(\.message)
    }
}

extension AuthorizationMatch {
    fileprivate var message: Istio_Security_Match {
        var message = Istio_Security_Match()
        message.principals = principals.map(\.message)
        message.notPrincipals = notPrincipals.map(\.message)
        message.namespaces = namespaces.map(\.message)
        message.notNamespaces = notNamespaces.map(\.message)
        message.serviceAccounts = serviceAccounts.map(\.accountMessage)
        message.notServiceAccounts = notServiceAccounts.map(\.accountMessage)
        message.sourceIps = sourceIPs.map(\.message)
        message.notSourceIps = notSourceIPs.map(\.message)
        message.destinationIps = destinationIPs.map(\.message)
        message.notDestinationIps = notDestinationIPs.map(\.message)
        message.destinationPorts = destinationPorts.map(UInt32.init)
        message.notDestinationPorts = notDestinationPorts.map(UInt32.init)
        return message
    }
}

extension StringMatch {
    fileprivate var message: Istio_Security_StringMatch {
        var message = Istio_Security_StringMatch()
        switch self {
        case .exact(let text): message.exact = text
        case .prefix(let text): message.prefix = text
        case .suffix(let text): message.suffix = text
        case .presence: message.presence = Google_Protobuf_Empty()
        }
        return message
    }
}

extension IPPrefix {
    fileprivate var message: Istio_Security_Address {
        var message = Istio_Security_Address()
        message.address = address.data
        message.length = UInt32(length)
        return message
    }
}

extension NamespacedName {
    fileprivate var accountMessage: Istio_Security_ServiceAccountMatch {
        var message = Istio_Security_ServiceAccountMatch()
        message.namespace = namespace
        message.serviceAccount = name
        return message
    }
}

// Messages to values.

extension WireReader {
    /// Nil for a rule that never matches, where the mesh has no form for that.
    func rule(
        _ message: Istio_Security_Rule, in action: AuthorizationPolicy.Action
    ) throws(XDSError) -> AuthorizationRule? {
        try refuseUnknown(message.unknownFields)
        var rule = AuthorizationRule(clauses: [])
        for clause in message.clauses {
            try refuseUnknown(clause.unknownFields)
            var matches: [AuthorizationMatch] = []
            for message in clause.matches { matches.append(try match(message)) }
            if action == .allow {
                // A clause that always matches may as well not be there.
                if matches.isEmpty { continue }
            } else if !matches.isEmpty {
                matches.removeAll(where: \.isEmpty)
                if matches.isEmpty { return nil }
            }
            rule.clauses.append(AuthorizationClause(kind: kind(of: clause), matches: matches))
        }
        return rule
    }

    /// A condition that this version does not know may narrow a rule; without it an ALLOW would be wider.
    private func refuseUnknown(_ fields: UnknownStorage) throws(XDSError) {
        guard fields.data.isEmpty else { throw unsupported("a rule has conditions that are not known") }
    }

    /// Explanations only: an unknown kind is guessed from what the clause is about.
    private func kind(of clause: Istio_Security_Clause) -> AuthorizationClause.Kind {
        switch clause.kind {
        case .clauseFrom: .from
        case .clauseTo: .to
        case .clauseWhen: .when
        case .clauseUnknown, .UNRECOGNIZED: clause.matches.contains(where: \.isAboutDestination) ? .to : .from
        }
    }

    private func match(_ message: Istio_Security_Match) throws(XDSError) -> AuthorizationMatch {
        try refuseUnknown(message.unknownFields)
        var match = AuthorizationMatch()
        for text in message.principals { match.principals.append(try string(text)) }
        for text in message.notPrincipals { match.notPrincipals.append(try string(text)) }
        for text in message.namespaces { match.namespaces.append(try string(text)) }
        for text in message.notNamespaces { match.notNamespaces.append(try string(text)) }
        for name in message.serviceAccounts { match.serviceAccounts.append(try account(name)) }
        for name in message.notServiceAccounts { match.notServiceAccounts.append(try account(name)) }
        for block in message.sourceIps { match.sourceIPs.append(try prefix(block.address, length: block.length)) }
        for block in message.notSourceIps { match.notSourceIPs.append(try prefix(block.address, length: block.length)) }
        for block in message.destinationIps {
            match.destinationIPs.append(try prefix(block.address, length: block.length))
        }
        for block in message.notDestinationIps {
            match.notDestinationIPs.append(try prefix(block.address, length: block.length))
        }
        for number in message.destinationPorts { match.destinationPorts.append(try port(number, "destination port")) }
        for number in message.notDestinationPorts {
            match.notDestinationPorts.append(try port(number, "destination port"))
        }
        return match
    }

    private func string(_ message: Istio_Security_StringMatch) throws(XDSError) -> StringMatch {
        switch message.matchType {
        case .exact(let text): .exact(text)
        case .prefix(let text): .prefix(text)
        case .suffix(let text): .suffix(text)
        case .presence: .presence
        case nil: throw unsupported("a rule compares strings in a way that is not known")
        }
    }

    private func account(_ message: Istio_Security_ServiceAccountMatch) throws(XDSError) -> NamespacedName {
        NamespacedName(
            namespace: try segment(message.namespace, "the namespace of a service account"),
            name: try segment(message.serviceAccount, "a service account"))
    }
}

extension Istio_Security_Match {
    fileprivate var isAboutDestination: Bool {
        !destinationIps.isEmpty || !notDestinationIps.isEmpty || !destinationPorts.isEmpty
            || !notDestinationPorts.isEmpty
    }
}
