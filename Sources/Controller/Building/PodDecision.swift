import Mesh
import Resources

/// What is to become of a pod that is coming up.
package enum PodDecision: Hashable, Sendable {
    /// It is in the mesh. The enrolment may be without addresses, which the one who asks may know better.
    case capture(PodEnrolment)
    /// It is not; why, for an operator to read.
    case leave(reason: String)
    /// Nothing is known of it, nor of its namespace; ask again. Why, for an operator to read.
    case unknown(reason: String)
}

/// What the objects say of pods, known or not: the answer to whoever brings one up.
struct PodDecisions: Hashable, Sendable {
    /// A pod that has not ended.
    struct KnownPod: Hashable, Sendable {
        var uid: String
        var decision: PodDecision
    }

    /// A namespace that there is, or whose pods are never enrolled.
    struct KnownNamespace: Hashable, Sendable {
        /// Why its pods are not in the mesh; nil if they are.
        var exclusion: String?
        /// Whether one of its pods without labels refuses plaintext.
        var isStrict: Bool
    }

    var cluster = ""
    var excludedNamespaces: Set<String> = []
    var pods: [NamespacedName: KnownPod] = [:]
    var namespaces: [String: KnownNamespace] = [:]

    func decision(namespace: String, name: String, uid: String) -> PodDecision {
        guard !excludedNamespaces.contains(namespace) else {
            return .leave(reason: "namespace \(namespace) is excluded from the mesh")
        }
        if let pod = pods[NamespacedName(namespace: namespace, name: name)] {
            guard uid.isEmpty || pod.uid.isEmpty || pod.uid == uid else {
                return .unknown(reason: "the pod \(namespace)/\(name) that is known has uid \(pod.uid), not \(uid)")
            }
            return pod.decision
        }
        guard let known = namespaces[namespace] else {
            return .unknown(reason: "neither pod \(namespace)/\(name) nor its namespace is known")
        }
        if let exclusion = known.exclusion { return .leave(reason: exclusion) }
        // Whoever is not known cannot have opted out: its namespace decides.
        return .capture(
            PodEnrolment(
                podUID: uid.isEmpty ? "\(namespace)/\(name)" : uid,
                workload: WorkloadUID(cluster: cluster, podNamespace: namespace, podName: name), namespace: namespace,
                name: name, addresses: [], isStrict: known.isStrict))
    }
}

extension BuiltMesh {
    /// Whether a pod that is coming up is to be captured, by its labels and its namespace's; its addresses need not be
    /// known yet.
    ///
    /// - Parameter uid: as Kubernetes gives it; empty where the runtime does not tell. A pod of another uid that goes by
    ///   that name is another pod.
    package func decision(namespace: String, name: String, uid: String) -> PodDecision {
        decisions.decision(namespace: namespace, name: name, uid: uid)
    }
}

extension MeshBuilder {
    /// What is known of every pod and namespace.
    func decisions(_ context: BuildContext, _ authentication: PeerAuthenticationIndex) -> PodDecisions {
        var result = PodDecisions(cluster: parameters.cluster, excludedNamespaces: parameters.excludedNamespaces)
        for (name, namespace) in context.namespaces {
            let label = wish(of: namespace.metadata)
            let exclusion = label == true ? nil : Self.exclusion(ofNamespace: name, wish: label)
            let stranger = ManifestMetadata(name: "", namespace: name)
            result.namespaces[name] = .init(exclusion: exclusion, isStrict: authentication.isStrict(for: stranger))
        }
        for pod in context.pods where !pod.isFinished {
            result.pods[pod.metadata.id] = decision(of: pod, context, authentication)
        }
        return result
    }

    /// What is known of a pod that has not ended.
    func decision(
        of pod: PodManifest, _ context: BuildContext, _ authentication: PeerAuthenticationIndex
    ) -> PodDecisions.KnownPod {
        let metadata = pod.metadata
        if let reason = exclusion(of: pod, context) {
            return .init(uid: metadata.uid, decision: .leave(reason: reason))
        }
        let workload = WorkloadUID(
            cluster: parameters.cluster, podNamespace: metadata.namespace, podName: metadata.name)
        return .init(
            uid: metadata.uid,
            decision: .capture(
                PodEnrolment(
                    of: pod, workload: workload, addresses: pod.addresses,
                    isStrict: authentication.isStrict(for: metadata))))
    }
}
