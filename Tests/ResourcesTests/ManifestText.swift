import Resources

/// Reads manifests that a test spells out, as the file `test.yaml`.
func read(_ text: String) -> ManifestFile { ManifestFile(bytes: Array(text.utf8), file: "test.yaml") }

/// The only object of `text`; nil if it was refused or there is not exactly one.
func object(_ text: String) -> ManifestObject? {
    let file = read(text)
    return file.entries.count == 1 ? file.entries[0].object : nil
}

func decodePod(_ text: String) -> PodManifest? {
    if case .pod(let manifest) = object(text) { manifest } else { nil }
}

func decodeService(_ text: String) -> ServiceManifest? {
    if case .service(let manifest) = object(text) { manifest } else { nil }
}

func policy(_ text: String) -> AuthorizationPolicyManifest? {
    if case .authorizationPolicy(let manifest) = object(text) { manifest } else { nil }
}

/// An AuthorizationPolicy shop/p whose spec is `spec`, written in the block style, from line 4 of the file.
func policy(spec: String) -> ManifestFile { read(policyText(spec: spec)) }

func policyText(spec: String) -> String {
    let indented = spec.split(separator: "\n", omittingEmptySubsequences: false).map { "  \($0)" }
    return """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: p, namespace: shop}
        spec:
        \(indented.joined(separator: "\n"))
        """
}

/// One problem as `line field`, for short expectations.
func places(_ file: ManifestFile) -> [String] {
    file.problems.map { "\($0.severity.rawValue) \($0.line) \($0.field)" }
}
