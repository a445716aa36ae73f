import Addressing

extension AuthorizationPolicy.Action {
    /// What an undecidable field does: unknown means denied, both ways. So doubt does not match in an ALLOW and
    /// does in everything that refuses or records.
    var doubtMatches: Bool { self != .allow }
}

extension AuthorizationMatch {
    /// The first field that `facts` do not satisfy; nil if the match matches.
    ///
    /// Not satisfied without doubt: a positive identity field when there is no identity. In doubt: a negative
    /// identity field when there is no identity, and a match without any field (what is left of a rule whose
    /// fields need HTTP, for one); these follow `doubtMatches`.
    func firstMiss(_ facts: ConnectionFacts, doubtMatches: Bool) -> AuthorizationField? {
        if isEmpty { return doubtMatches ? nil : .nothing }
        return identityMiss(facts.source, doubtMatches: doubtMatches) ?? addressMiss(facts)
    }

    /// Whether no field has a value.
    package var isEmpty: Bool {
        principals.isEmpty && notPrincipals.isEmpty && namespaces.isEmpty && notNamespaces.isEmpty
            && serviceAccounts.isEmpty && notServiceAccounts.isEmpty && sourceIPs.isEmpty && notSourceIPs.isEmpty
            && destinationIPs.isEmpty && notDestinationIPs.isEmpty && destinationPorts.isEmpty
            && notDestinationPorts.isEmpty
    }

    private func identityMiss(_ source: SPIFFEID?, doubtMatches: Bool) -> AuthorizationField? {
        guard let source else { return anonymousMiss(doubtMatches: doubtMatches) }
        if !principals.isEmpty, !principals.contains(where: { $0.matches(source) }) { return .principals }
        if notPrincipals.contains(where: { $0.matches(source) }) { return .notPrincipals }
        if !namespaces.isEmpty, !namespaces.contains(where: { $0.matches(source.namespace) }) { return .namespaces }
        if notNamespaces.contains(where: { $0.matches(source.namespace) }) { return .notNamespaces }
        if !serviceAccounts.isEmpty, !serviceAccounts.contains(where: source.isServiceAccount) {
            return .serviceAccounts
        }
        if notServiceAccounts.contains(where: source.isServiceAccount) { return .notServiceAccounts }
        return nil
    }

    private func anonymousMiss(doubtMatches: Bool) -> AuthorizationField? {
        if !principals.isEmpty { return .principals }
        if !namespaces.isEmpty { return .namespaces }
        if !serviceAccounts.isEmpty { return .serviceAccounts }
        if doubtMatches { return nil }
        if !notPrincipals.isEmpty { return .notPrincipals }
        if !notNamespaces.isEmpty { return .notNamespaces }
        if !notServiceAccounts.isEmpty { return .notServiceAccounts }
        return nil
    }

    private func addressMiss(_ facts: ConnectionFacts) -> AuthorizationField? {
        if !sourceIPs.isEmpty, !sourceIPs.contains(where: { $0.contains(facts.sourceAddress) }) { return .sourceIPs }
        if notSourceIPs.contains(where: { $0.contains(facts.sourceAddress) }) { return .notSourceIPs }
        if !destinationIPs.isEmpty, !destinationIPs.contains(where: { $0.contains(facts.destinationAddress) }) {
            return .destinationIPs
        }
        if notDestinationIPs.contains(where: { $0.contains(facts.destinationAddress) }) { return .notDestinationIPs }
        if !destinationPorts.isEmpty, !destinationPorts.contains(facts.destinationPort) { return .destinationPorts }
        if notDestinationPorts.contains(facts.destinationPort) { return .notDestinationPorts }
        return nil
    }
}

extension SPIFFEID {
    fileprivate func isServiceAccount(_ name: NamespacedName) -> Bool {
        namespace == name.namespace && serviceAccount == name.name
    }
}
