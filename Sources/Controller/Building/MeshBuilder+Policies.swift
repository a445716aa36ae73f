import Mesh
import Resources

/// The policies of the mesh, and which of them each pod names.
struct PolicyAssignment: Sendable {
    /// The AuthorizationPolicies that agents evaluate, in the order of their names.
    let all: [AuthorizationPolicy]
    let authentication: PeerAuthenticationIndex
    private let roots: [String]
    /// Those with a selector.
    private let byNamespace: [String: [AuthorizationPolicyManifest]]
    private let meshWide: [AuthorizationPolicyManifest]

    init(_ context: BuildContext, _ parameters: MeshParameters) {
        // Policies with targets are the waypoints'.
        let manifests = context.policies.filter { !$0.hasTargets }
        all = manifests.map { Self.makePolicy($0, roots: parameters.rootNamespaces) }
        byNamespace = Dictionary(grouping: manifests.filter { $0.selector != nil }, by: \.metadata.namespace)
        meshWide = parameters.rootNamespaces.flatMap { [byNamespace] in byNamespace[$0] ?? [] }
        authentication = PeerAuthenticationIndex(context.peerAuthentications, roots: parameters.rootNamespaces)
        roots = parameters.rootNamespaces
    }

    /// Names on each pod the policies that select it.
    ///
    /// - Returns: those of them that were made from PeerAuthentications.
    func assign(to pods: inout [BuiltPod]) -> [AuthorizationPolicy] {
        var converted: [NamespacedName: AuthorizationPolicy] = [:]
        for position in pods.indices {
            let metadata = pods[position].manifest.metadata
            let own = roots.contains(metadata.namespace) ? [] : byNamespace[metadata.namespace] ?? []
            var names = (own + meshWide).filter { metadata.hasLabels($0.selector ?? [:]) }.map(\.metadata.id)
            if let policy = self.converted(for: metadata) {
                converted[policy.name] = policy
                names.append(policy.name)
            }
            pods[position].workload.policies = names.sorted()
        }
        return Array(converted.values)
    }

    /// The policy that PeerAuthentications make for a pod.
    func converted(for pod: ManifestMetadata) -> AuthorizationPolicy? { authentication.policy(for: pod) }

    private static func makePolicy(_ manifest: AuthorizationPolicyManifest, roots: [String]) -> AuthorizationPolicy {
        let isRoot = roots.contains(manifest.metadata.namespace)
        return AuthorizationPolicy(
            name: manifest.metadata.id, scope: manifest.selector != nil ? .workload : isRoot ? .mesh : .namespace,
            action: manifest.action, rules: manifest.rules, isDryRun: manifest.isDryRun,
            httpParts: manifest.httpParts)
    }
}

extension MeshBuilder {
    /// The oldest MeshPolicy of each namespace; of the others it is said that they are not in force.
    func namespacePolicies(
        _ context: BuildContext, manifests: ManifestSet, problems: inout [ManifestProblem]
    ) -> [String: NamespacePolicy] {
        var winners: [String: ManifestMetadata] = [:]
        var result: [String: NamespacePolicy] = [:]
        for manifest in context.meshPolicies.sorted(by: { $0.metadata.precedes($1.metadata) }) {
            let metadata = manifest.metadata
            if let winner = winners[metadata.namespace] {
                let key = ManifestKey(kind: .meshPolicy, namespace: metadata.namespace, name: metadata.name)
                problems.append(
                    manifests.problem(
                        .warning, about: key, field: "",
                        "is not in force: the older MeshPolicy \(winner.namespace)/\(winner.name) decides for its "
                            + "namespace: remove one of them", topic: .overruled))
            } else {
                winners[metadata.namespace] = metadata
                result[metadata.namespace] = manifest.policy
            }
        }
        return result
    }
}

/// Which PeerAuthentication holds for whom: workload over namespace over mesh, the oldest of each.
struct PeerAuthenticationIndex: Sendable {
    private let mesh: PeerAuthenticationManifest?
    private let byNamespace: [String: PeerAuthenticationManifest]
    /// Those with a selector, oldest first.
    private let selecting: [String: [PeerAuthenticationManifest]]
    private let root: String

    init(_ manifests: [PeerAuthenticationManifest], roots: [String]) {
        let sorted = manifests.sorted { $0.metadata.precedes($1.metadata) }
        let wide = sorted.filter { $0.selector == nil }
        mesh = wide.first { roots.contains($0.metadata.namespace) }
        // In a root namespace there is no narrower scope: what is not about the mesh's oldest is not in force.
        let narrower = wide.filter { !roots.contains($0.metadata.namespace) }
        byNamespace = Dictionary(narrower.map { ($0.metadata.namespace, $0) }) { oldest, _ in oldest }
        selecting = Dictionary(grouping: sorted.filter { $0.selector != nil }, by: \.metadata.namespace)
        root = roots.first ?? ""
    }

    /// Whether a pod refuses plaintext on every port.
    func isStrict(for pod: ManifestMetadata) -> Bool {
        guard let policy = policy(for: pod) else { return false }
        return policy.rules.allSatisfy { $0.clauses.count == 1 }
    }

    /// What plaintext policy a pod gets; nil if it accepts plaintext on every port.
    func policy(for pod: ManifestMetadata) -> AuthorizationPolicy? {
        let own = selecting[pod.namespace]?.first { pod.hasLabels($0.selector ?? [:]) }
        let modes = [own?.mode, byNamespace[pod.namespace]?.mode, mesh?.mode]
        let isStrict = modes.compactMap { $0 }.first { $0 != .unset } == .strict
        let exceptions = (own?.portModes ?? [:]).filter { $0.value != .unset && ($0.value == .strict) != isStrict }
        if let own, !exceptions.isEmpty {
            return Self.policy(
                NamespacedName(
                    namespace: own.metadata.namespace, name: "converted_peer_authentication_\(own.metadata.name)"),
                isStrict: isStrict, exceptions: exceptions.keys.sorted())
        }
        guard isStrict else { return nil }
        let name = NamespacedName(namespace: root, name: "istio_converted_static_strict")
        return Self.policy(name, isStrict: true, exceptions: [])
    }

    /// Denies those without an identity: on every port but the exceptions if strict, else on the exceptions only.
    private static func policy(_ name: NamespacedName, isStrict: Bool, exceptions: [UInt16]) -> AuthorizationPolicy {
        var source = AuthorizationMatch()
        source.notPrincipals = [.presence]
        var clauses = [AuthorizationClause(kind: .from, matches: [source])]
        if !exceptions.isEmpty {
            var ports = AuthorizationMatch()
            if isStrict { ports.notDestinationPorts = exceptions } else { ports.destinationPorts = exceptions }
            clauses.append(AuthorizationClause(kind: .to, matches: [ports]))
        }
        return AuthorizationPolicy(
            name: name, scope: .workload, action: .deny, rules: [AuthorizationRule(clauses: clauses)],
            origin: .peerAuthentication)
    }
}
