/// A Namespace: its labels say whether its pods are in the mesh.
package struct NamespaceManifest: Hashable, Sendable {
    package var metadata: ManifestMetadata
    package init(metadata: ManifestMetadata) { self.metadata = metadata }
}

/// A Node: its labels say where its pods are.
package struct NodeManifest: Hashable, Sendable {
    package var metadata: ManifestMetadata
    package init(metadata: ManifestMetadata) { self.metadata = metadata }
}

/// A ServiceAccount: an identity that pods may have.
package struct ServiceAccountManifest: Hashable, Sendable {
    package var metadata: ManifestMetadata
    package init(metadata: ManifestMetadata) { self.metadata = metadata }
}
