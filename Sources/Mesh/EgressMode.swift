/// What a namespace's pods may reach outside the mesh; `allow` where nothing else is said.
package enum EgressMode: String, Hashable, Sendable, CaseIterable {
    /// Unknown addresses are passed through in plaintext.
    case allow
    /// Only what the mesh knows: unknown addresses are refused.
    case registryOnly
    /// Unknown addresses are refused, and so is what is known but runs on no node of the mesh
    /// (such as the hosts of a ServiceEntry).
    case deny
}
