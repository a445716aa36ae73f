package import Mesh

/// What the operator decides about the whole mesh, as far as the mesh state depends on it.
package struct MeshParameters: Hashable, Sendable {
    package var trustDomain: TrustDomain
    /// The cluster's name in workload UIDs.
    package var cluster: String
    /// What service host names end in.
    package var clusterDomain: String
    /// Namespaces whose policies without a selector are about the whole mesh. Converted policies are named in the
    /// first.
    package var rootNamespaces: [String]
    /// Namespaces whose pods are never enrolled.
    package var excludedNamespaces: Set<String>
    /// The label that enrols a namespace or a pod (`enabled`) or keeps a pod out (`disabled`).
    package var enrolmentLabel: String

    package init(
        trustDomain: TrustDomain, cluster: String = "Kubernetes", clusterDomain: String = "cluster.local",
        rootNamespaces: [String] = ["meshnode-system", "istio-system"],
        excludedNamespaces: Set<String> = ["kube-system", "meshnode-system"],
        enrolmentLabel: String = "meshnode.dev/mesh"
    ) {
        self.trustDomain = trustDomain
        self.cluster = cluster
        self.clusterDomain = clusterDomain
        self.rootNamespaces = rootNamespaces
        self.excludedNamespaces = excludedNamespaces
        self.enrolmentLabel = enrolmentLabel
    }
}
