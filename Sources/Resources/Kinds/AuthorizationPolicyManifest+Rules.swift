import Mesh

/// Reads the rules of one AuthorizationPolicy, keeping what can be decided without HTTP.
///
/// An ALLOW rule that needs HTTP is dropped whole. Any other keeps what L4 can decide: a clause of which nothing is
/// left matches everything. Both only deny more.
struct RuleReader {
    /// The policy's namespace, which service accounts without one are in.
    let namespace: String
    /// Whether a rule with L7 fields keeps its L4 part; false for ALLOW.
    let keepsPartOfRule: Bool

    /// What one `from`, `to` or condition became.
    private struct Part {
        var match = AuthorizationMatch()
        /// The fields that need HTTP, as an explanation names them.
        var httpFields: [String] = []
    }

    /// What the rules of a policy became.
    struct Outcome {
        var rules: [AuthorizationRule] = []
        var httpParts: [HTTPPart] = []
    }

    /// Reads all rules, in their order.
    func read(_ fields: [Field]) -> Outcome {
        var outcome = Outcome()
        for (number, field) in fields.enumerated() { read(field, number: number, into: &outcome) }
        return outcome
    }

    private func read(_ field: Field, number: Int, into outcome: inout Outcome) {
        guard let fields = field.mapping(knowing: ["from", "to", "when"], unknown: .error) else { return }
        refuseEmpty(fields)
        var httpFields: [String] = []
        var clauses: [AuthorizationClause] = []
        func add(_ kind: AuthorizationClause.Kind, _ parts: [Part]?) {
            guard let parts else { return }
            for name in parts.flatMap(\.httpFields) where !httpFields.contains(name) { httpFields.append(name) }
            let matches = parts.map(\.match)
            // One alternative that matches everything makes the clause match everything.
            guard !matches.contains(AuthorizationMatch()) else { return }
            clauses.append(AuthorizationClause(kind: kind, matches: matches))
        }
        add(.from, fields["from"].flatMap { list($0, of: "source", read: source) })
        add(.to, fields["to"].flatMap { list($0, of: "operation", read: operation) })
        for condition in fields["when"]?.items() ?? [] {
            if let part = self.condition(condition) { add(.when, [part]) }
        }
        if httpFields.isEmpty || keepsPartOfRule { outcome.rules.append(AuthorizationRule(clauses: clauses)) }
        guard !httpFields.isEmpty else { return }
        warnAboutL7(field)
        outcome.httpParts.append(HTTPPart(rule: number, isDropped: !keepsPartOfRule, fields: httpFields))
    }

    private func warnAboutL7(_ field: Field) {
        field.warn(
            keepsPartOfRule
                ? "uses HTTP fields, which need a waypoint: the agent matches by the rest of the rule, more than written"
                : "uses HTTP fields, which need a waypoint: the agent drops this rule, so it allows nothing")
    }

    /// A field without a value, or with an empty list, reads like a condition and is none.
    private func refuseEmpty(_ fields: Fields) {
        for (name, line) in fields.nulls.sorted(by: { $0.value < $1.value }) {
            fields.field.log.add(
                .error, line: line, field: "\(fields.field.path).\(name)",
                "has no value, so it would match everything: give it one or remove the line")
        }
        for name in fields.order {
            guard let child = fields[name], case .sequence(let nodes) = child.node.value, nodes.isEmpty else {
                continue
            }
            child.error("is an empty list, so it would match everything: give it a value or remove it")
        }
    }

    private func list(_ field: Field, of name: String, read: (Fields) -> Part) -> [Part]? {
        field.items()?.compactMap { item in
            guard let wrapper = item.mapping(knowing: [name], unknown: .error),
                let body = wrapper.required(name)?.mapping()
            else { return nil }
            refuseEmpty(body)
            if body.order.isEmpty, body.nulls.isEmpty {
                body.field.error("is empty, so it would match everything: give it a field or remove it")
            }
            return read(body)
        }
    }

    private func source(_ fields: Fields) -> Part {
        var part = Part()
        for name in fields.order {
            guard let values = fields[name] else { continue }
            switch name {
            case "principals": part.match.principals = principals(values)
            case "notPrincipals": part.match.notPrincipals = principals(values)
            case "namespaces": part.match.namespaces = strings(values)
            case "notNamespaces": part.match.notNamespaces = strings(values)
            case "serviceAccounts": part.match.serviceAccounts = serviceAccounts(values)
            case "notServiceAccounts": part.match.notServiceAccounts = serviceAccounts(values)
            case "ipBlocks": part.match.sourceIPs = each(values) { $0.prefix() }
            case "notIpBlocks": part.match.notSourceIPs = each(values) { $0.prefix() }
            case "requestPrincipals", "notRequestPrincipals", "remoteIpBlocks", "notRemoteIpBlocks":
                part.httpFields.append("from[].source.\(name)")
            default: refuseUnknown(values)
            }
        }
        return part
    }

    private func operation(_ fields: Fields) -> Part {
        var part = Part()
        for name in fields.order {
            guard let values = fields[name] else { continue }
            switch name {
            case "ports": part.match.destinationPorts = each(values) { $0.port() }
            case "notPorts": part.match.notDestinationPorts = each(values) { $0.port() }
            case "hosts", "notHosts", "methods", "notMethods", "paths", "notPaths":
                part.httpFields.append("to[].operation.\(name)")
            default: refuseUnknown(values)
            }
        }
        return part
    }

    private func condition(_ field: Field) -> Part? {
        guard let fields = field.mapping(knowing: ["key", "values", "notValues"], unknown: .error),
            let keyField = fields.required("key"), let key = keyField.string()
        else { return nil }
        refuseEmpty(fields)
        let (values, notValues) = (fields["values"], fields["notValues"])
        if values == nil, notValues == nil { field.error("needs values or notValues") }
        var part = Part()
        switch key {
        case "source.principal":
            part.match.principals = values.map(principals) ?? []
            part.match.notPrincipals = notValues.map(principals) ?? []
        case "source.namespace":
            part.match.namespaces = values.map(strings) ?? []
            part.match.notNamespaces = notValues.map(strings) ?? []
        case "source.serviceAccount":
            part.match.serviceAccounts = values.map(serviceAccounts) ?? []
            part.match.notServiceAccounts = notValues.map(serviceAccounts) ?? []
        case "source.ip":
            part.match.sourceIPs = values.map { each($0) { $0.prefix() } } ?? []
            part.match.notSourceIPs = notValues.map { each($0) { $0.prefix() } } ?? []
        case "destination.ip":
            part.match.destinationIPs = values.map { each($0) { $0.prefix() } } ?? []
            part.match.notDestinationIPs = notValues.map { each($0) { $0.prefix() } } ?? []
        case "destination.port":
            part.match.destinationPorts = values.map { each($0) { $0.port() } } ?? []
            part.match.notDestinationPorts = notValues.map { each($0) { $0.port() } } ?? []
        case _ where Self.isL7(key):
            let name = String(quoted(key).dropFirst().dropLast())
            if values != nil { part.httpFields.append("when[\(name)].values") }
            if notValues != nil { part.httpFields.append("when[\(name)].notValues") }
        default: keyField.error("is not a known condition: \(quoted(key))")
        }
        return part
    }

    private static func isL7(_ key: String) -> Bool {
        ["remote.ip", "connection.sni", "request.auth.principal", "request.auth.audiences", "request.auth.presenter"]
            .contains(key)
            || ["request.headers[", "request.auth.claims[", "experimental.envoy.filters."].contains {
                key.hasPrefix($0)
            }
    }

    private func refuseUnknown(_ field: Field) {
        field.error(
            "is not a known field; the object is refused, since ignoring it could widen the policy: check the spelling")
    }
}

// MARK: Values

extension RuleReader {
    private func each<Value>(_ field: Field, _ read: (Field) -> Value?) -> [Value] {
        (field.items() ?? []).compactMap(read)
    }

    private func strings(_ field: Field) -> [StringMatch] { each(field) { match($0, text: $0.string()) } }

    private func principals(_ field: Field) -> [StringMatch] {
        each(field) { item in
            let text = item.string()
            let scheme = "spiffe://"
            return match(item, text: text.map { $0.hasPrefix(scheme) ? String($0.dropFirst(scheme.count)) : $0 })
        }
    }

    private func match(_ field: Field, text: String?) -> StringMatch? {
        guard let text else { return nil }
        let inner = text.hasSuffix("*") ? text.dropLast() : text.hasPrefix("*") ? text.dropFirst() : text[...]
        guard !text.isEmpty, !inner.contains("*") else {
            field.error("must be text, or text with one \"*\" at its beginning or its end, not \(quoted(text))")
            return nil
        }
        return StringMatch(policyText: text)
    }

    private func serviceAccounts(_ field: Field) -> [NamespacedName] {
        each(field) { item in
            guard let text = item.string() else { return nil }
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }), !text.contains("*"),
                let name = parts.last
            else {
                item.error("must be NAME or NAMESPACE/NAME without \"*\", not \(quoted(text))")
                return nil
            }
            return NamespacedName(namespace: parts.count == 2 ? String(parts[0]) : namespace, name: String(name))
        }
    }
}
