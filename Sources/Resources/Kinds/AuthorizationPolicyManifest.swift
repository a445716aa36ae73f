package import Mesh

/// An AuthorizationPolicy, its rules as L4 evaluates them.
package struct AuthorizationPolicyManifest: Hashable, Sendable {
    package var metadata: ManifestMetadata
    /// The workloads that it is about; nil for all of its namespace, or of the mesh in the root namespace.
    package var selector: [String: String]?
    /// It names targets, so only waypoints evaluate it.
    package var hasTargets: Bool
    package var action: AuthorizationPolicy.Action
    package var isDryRun: Bool
    package var rules: [AuthorizationRule]
    /// What of the rules needs HTTP.
    package var httpParts: [HTTPPart]

    package init(
        metadata: ManifestMetadata, selector: [String: String]? = nil, hasTargets: Bool = false,
        action: AuthorizationPolicy.Action = .allow, isDryRun: Bool = false, rules: [AuthorizationRule] = [],
        httpParts: [HTTPPart] = []
    ) {
        self.metadata = metadata
        self.selector = selector
        self.hasTargets = hasTargets
        self.action = action
        self.isDryRun = isDryRun
        self.rules = rules
        self.httpParts = httpParts
    }
}

extension AuthorizationPolicyManifest {
    private static let known: Set<String> = [
        "selector", "targetRef", "targetRefs", "action", "rules", "provider", "dryRun",
    ]

    init(_ object: ObjectFields) {
        self.init(metadata: object.metadata)
        isDryRun = Self.isDryRun(annotationsOf: object)
        // A misspelt `action` would turn a DENY into an ALLOW, so nothing unknown is ignored.
        guard let spec = object.spec(knowing: Self.known, unknown: .error) else { return }
        selector = spec["selector"].flatMap(workloadSelector)
        action = spec["action"].flatMap(Self.action) ?? .allow
        if let field = spec["dryRun"], let value = field.bool() { isDryRun = isDryRun || value }
        if let target = spec["targetRefs"] ?? spec["targetRef"] {
            hasTargets = true
            target.warn("is for waypoints: no agent enforces this policy, and without a waypoint nobody does")
            if selector != nil { target.error("and selector exclude each other: remove one of them") }
        }
        if action == .custom {
            spec["action"]?.warn("CUSTOM needs a waypoint; without one everything that the rules match is denied")
        }
        let reader = RuleReader(namespace: metadata.namespace, keepsPartOfRule: action != .allow)
        let outcome = reader.read(spec["rules"]?.items() ?? [])
        rules = outcome.rules
        httpParts = outcome.httpParts
    }

    private static func action(_ field: Field) -> AuthorizationPolicy.Action? {
        switch field.string() {
        case "ALLOW": return .allow
        case "DENY": return .deny
        case "AUDIT": return .audit
        case "CUSTOM": return .custom
        case nil: return nil
        case .some(let text):
            field.error("must be ALLOW, DENY, AUDIT or CUSTOM, not \(quoted(text))")
            return nil
        }
    }

    private static func isDryRun(annotationsOf object: ObjectFields) -> Bool {
        let annotations = object.root["metadata"]?.mapping()?["annotations"]?.mapping()
        guard let field = annotations?["istio.io/dry-run"], let text = field.string() else { return false }
        switch text {
        case "true", "True", "TRUE", "t", "T", "1": return true
        case "false", "False", "FALSE", "f", "F", "0": return false
        default:
            field.error("must be \"true\" or \"false\", not \(quoted(text))")
            return false
        }
    }
}
