package import Mesh

/// The kinds of object that the mesh reads.
package enum ManifestKind: String, Hashable, Sendable, CaseIterable {
    case namespace = "Namespace"
    case node = "Node"
    case pod = "Pod"
    case service = "Service"
    case endpointSlice = "EndpointSlice"
    case serviceAccount = "ServiceAccount"
    case authorizationPolicy = "AuthorizationPolicy"
    case peerAuthentication = "PeerAuthentication"
    case meshPolicy = "MeshPolicy"

    /// Whether its objects live in a namespace.
    package var isNamespaced: Bool { self != .namespace && self != .node }
}

/// What tells one object from all others: its kind and its name.
package struct ManifestKey: Hashable, Sendable {
    package var kind: ManifestKind
    /// Empty for kinds without a namespace.
    package var namespace: String
    package var name: String

    package init(kind: ManifestKind, namespace: String, name: String) {
        self.kind = kind
        self.namespace = namespace
        self.name = name
    }

    /// The key without its kind, as other objects refer to it.
    package var namespacedName: NamespacedName { NamespacedName(namespace: namespace, name: name) }
}

extension ManifestKey: Comparable, CustomStringConvertible {
    package static func < (lhs: Self, rhs: Self) -> Bool {
        (lhs.kind.rawValue, lhs.namespace, lhs.name) < (rhs.kind.rawValue, rhs.namespace, rhs.name)
    }

    /// Such as `Pod shop/web` or `Namespace shop`.
    package var description: String {
        namespace.isEmpty ? "\(kind.rawValue) \(name)" : "\(kind.rawValue) \(namespace)/\(name)"
    }
}
