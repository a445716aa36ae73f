/// A PeerAuthentication: whether workloads accept plaintext.
package struct PeerAuthenticationManifest: Hashable, Sendable {
    /// `spec.mtls.mode`; UNSET inherits from the wider scope.
    package enum Mode: String, Hashable, Sendable {
        /// What the wider scope says.
        case unset = "UNSET"
        /// The same as permissive: it never makes a peer send plaintext.
        case disable = "DISABLE"
        case permissive = "PERMISSIVE"
        case strict = "STRICT"
    }

    package var metadata: ManifestMetadata
    /// The workloads of its namespace that it is about; nil for all.
    package var selector: [String: String]?
    package var mode: Mode
    /// Exceptions by the application's port; they count only in one that has a selector.
    package var portModes: [UInt16: Mode]

    package init(
        metadata: ManifestMetadata, selector: [String: String]? = nil, mode: Mode = .unset,
        portModes: [UInt16: Mode] = [:]
    ) {
        self.metadata = metadata
        self.selector = selector
        self.mode = mode
        self.portModes = portModes
    }
}

extension PeerAuthenticationManifest {
    init(_ object: ObjectFields) {
        self.init(metadata: object.metadata)
        guard let spec = object.spec(knowing: ["selector", "mtls", "portLevelMtls"], unknown: .error) else { return }
        selector = spec["selector"].flatMap(workloadSelector)
        mode = spec["mtls"].flatMap(Self.mode) ?? .unset
        guard let levels = spec["portLevelMtls"]?.mapping() else { return }
        for name in levels.order {
            guard let field = levels[name] else { continue }
            guard let port = parsePort(name) else {
                field.error("is not a port from 1 through 65535")
                continue
            }
            portModes[port] = Self.mode(field) ?? .unset
        }
        if selector == nil, !portModes.isEmpty {
            spec["portLevelMtls"]?.warn("counts only together with a selector, as in Istio; it is ignored")
            portModes = [:]
        }
    }

    private static func mode(_ field: Field) -> Mode? {
        guard let fields = field.mapping(knowing: ["mode"], unknown: .error), let field = fields["mode"],
            let text = field.string()
        else { return nil }
        guard let mode = Mode(rawValue: text) else {
            field.error("must be STRICT, PERMISSIVE, DISABLE or UNSET, not \(quoted(text))")
            return nil
        }
        return mode
    }
}

/// Reads `selector.matchLabels`; nil if it selects every workload, or after an error.
func workloadSelector(_ field: Field) -> [String: String]? {
    guard let labels = field.mapping(knowing: ["matchLabels"], unknown: .error)?["matchLabels"]?.stringMap() else {
        return nil
    }
    for (key, value) in labels where key.contains("*") || value.contains("*") {
        field.error("must not hold \"*\": labels are compared exactly (\(quoted(key)): \(quoted(value)))")
    }
    return labels.isEmpty ? nil : labels
}
