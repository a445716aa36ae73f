import Addressing
package import Mesh

/// Names by which ambient control planes mark the policies that they made from a PeerAuthentication.
enum ConvertedPolicyName {
    static let staticStrict = "istio_converted_static_strict"
    static let peerAuthenticationPrefix = "converted_peer_authentication_"

    static func isPeerAuthentication(_ name: String) -> Bool {
        name == staticStrict || name.hasPrefix(peerAuthenticationPrefix)
    }
}

extension Translator {
    /// A policy as the wire has it. For a peer that does not know our extensions AUDIT never matches and CUSTOM denies.
    package func message(of policy: AuthorizationPolicy) -> Istio_Security_Authorization {
        var message = Istio_Security_Authorization()
        message.name = policy.name.name
        message.namespace = policy.name.namespace
        message.scope = Self.message(of: policy.scope)
        message.dryRun = policy.isDryRun
        message.details.origin =
            policy.origin == .peerAuthentication ? .peerAuthentication : .authorizationPolicy
        message.details.httpParts = policy.httpParts.map(\.message)
        let rules = policy.rules.map { $0.message(in: policy.action) }
        switch policy.action {
        case .allow:
            message.action = .allow
            message.rules = rules
        case .deny:
            message.action = .deny
            message.rules = rules
        case .custom:
            message.action = .deny
            message.rules = rules
            message.details.action = .custom
        case .audit:
            message.action = .deny
            message.unenforcedRules = rules
            message.details.action = .audit
        }
        return message
    }

    /// The policy that `message` describes.
    /// - Throws: `invalidResource` or `unsupportedResource`, naming the policy.
    package func policy(_ message: Istio_Security_Authorization) throws(XDSError) -> AuthorizationPolicy {
        let reader = WireReader(resource: "policy \(message.namespace)/\(message.name)")
        let name = NamespacedName(
            namespace: try reader.segment(message.namespace, "the namespace"),
            name: try reader.segment(message.name, "the name"))
        let action = try action(of: message, reader)
        var rules: [AuthorizationRule] = []
        for rule in action == .audit ? message.unenforcedRules : message.rules {
            if let rule = try reader.rule(rule, in: action) { rules.append(rule) }
        }
        return AuthorizationPolicy(
            name: name, scope: try scope(message.scope, reader), action: action, rules: rules,
            isDryRun: message.dryRun, origin: try origin(of: message, reader),
            httpParts: try reader.httpParts(message.details.httpParts))
    }

    private static func message(of scope: AuthorizationPolicy.Scope) -> Istio_Security_Scope {
        switch scope {
        case .mesh: .global
        case .namespace: .namespace
        case .workload: .workloadSelector
        }
    }

    private func scope(_ scope: Istio_Security_Scope, _ reader: WireReader) throws(XDSError)
        -> AuthorizationPolicy.Scope
    {
        switch scope {
        case .global: .mesh
        case .namespace: .namespace
        case .workloadSelector: .workload
        case .UNRECOGNIZED(let value): throw reader.unsupported("scope \(value) is not known")
        }
    }

    private func action(
        of message: Istio_Security_Authorization, _ reader: WireReader
    ) throws(XDSError) -> AuthorizationPolicy.Action {
        switch message.details.action {
        case .audit: return .audit
        case .custom: return .custom
        case .shared: break
        case .UNRECOGNIZED(let value): throw reader.unsupported("action \(value) of ours is not known")
        }
        switch message.action {
        case .allow: return .allow
        case .deny: return .deny
        case .UNRECOGNIZED(let value): throw reader.unsupported("action \(value) is not known")
        }
    }

    private func origin(
        of message: Istio_Security_Authorization, _ reader: WireReader
    ) throws(XDSError) -> AuthorizationPolicy.Origin {
        switch message.details.origin {
        case .authorizationPolicy: .authorizationPolicy
        case .peerAuthentication: .peerAuthentication
        case .unknown:
            ConvertedPolicyName.isPeerAuthentication(message.name) ? .peerAuthentication : .authorizationPolicy
        case .UNRECOGNIZED(let value): throw reader.unsupported("origin \(value) is not known")
        }
    }
}

extension HTTPPart {
    fileprivate var message: Meshnode_Wire_PolicyDetails.HTTPPart {
        var message = Meshnode_Wire_PolicyDetails.HTTPPart()
        message.rule = UInt32(clamping: rule)
        message.isDropped = isDropped
        message.fields = fields
        return message
    }
}

extension WireReader {
    /// For explanations only, but rules are numbered by them, so they must be in order.
    fileprivate func httpParts(_ messages: [Meshnode_Wire_PolicyDetails.HTTPPart]) throws(XDSError) -> [HTTPPart] {
        var parts: [HTTPPart] = []
        for message in messages {
            if let last = parts.last, message.rule <= last.rule {
                throw invalid("what needs HTTP of its rules is not in the order of the rules")
            }
            parts.append(HTTPPart(rule: Int(message.rule), isDropped: message.isDropped, fields: message.fields))
        }
        return parts
    }
}
