package import Mesh

/// A MeshPolicy: what holds for all pods of its namespace, whatever its name. One per namespace counts, the oldest.
package struct MeshPolicyManifest: Hashable, Sendable {
    package var metadata: ManifestMetadata
    package var policy: NamespacePolicy

    package init(metadata: ManifestMetadata, policy: NamespacePolicy = NamespacePolicy()) {
        self.metadata = metadata
        self.policy = policy
    }
}

extension MeshPolicyManifest {
    init(_ object: ObjectFields) {
        self.init(metadata: object.metadata)
        if let version = object.root["apiVersion"], version.string() != "meshnode.dev/v1alpha1" {
            version.warn("is read as meshnode.dev/v1alpha1, the only version there is")
        }
        guard let spec = object.spec(knowing: ["egress", "limits"]) else { return }
        if let mode = spec["egress"]?.mapping(knowing: ["mode"])?["mode"] {
            policy.egress = Self.mode(mode) ?? .allow
        }
        if let limits = spec["limits"] { policy.limits = Self.limits(limits) }
    }

    private static func mode(_ field: Field) -> EgressMode? {
        switch field.string() {
        case "allow": return .allow
        case "registry-only": return .registryOnly
        case "deny": return .deny
        case nil: return nil
        case .some(let text):
            field.error("must be allow, registry-only or deny, not \(quoted(text))")
            return nil
        }
    }

    private static func limits(_ field: Field) -> ConnectionLimits {
        let names: Set<String> = ["connectionsPerWorkload", "newConnectionsPerSecond", "streamsPerPeer"]
        guard let fields = field.mapping(knowing: names) else { return ConnectionLimits() }
        return ConnectionLimits(
            connectionsPerWorkload: fields["connectionsPerWorkload"]?.limit(),
            newConnectionsPerSecond: fields["newConnectionsPerSecond"]?.limit(),
            streamsPerPeer: fields["streamsPerPeer"]?.limit())
    }
}

extension Field {
    /// A bound: 1 through 1,000,000,000. 0 would shut everything out, which is what policies are for.
    fileprivate func limit() -> Int? {
        guard let text = string() else { return nil }
        guard (1...10).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }),
            let number = Int(text), (1...1_000_000_000).contains(number)
        else {
            error("must be a number from 1 through 1000000000, not \(quoted(text)); leave it out for no limit")
            return nil
        }
        return number
    }
}
