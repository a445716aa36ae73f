package import Mesh

/// Which identities one caller may have certificates for: those that have a pod on its node. A node that was taken over
/// can then not pretend to be workloads that it does not run.
package struct SigningPolicy: Hashable, Sendable {
    /// The identities of the pods on the caller's node.
    package var identitiesOnNode: Set<SPIFFEID>

    package init(identitiesOnNode: Set<SPIFFEID>) {
        self.identitiesOnNode = identitiesOnNode
    }

    /// Passes if the caller may have a certificate for `identity`.
    /// - Throws: `identityRefused`.
    package func authorize(_ identity: SPIFFEID) throws(AuthorityError) {
        guard identitiesOnNode.contains(identity) else {
            throw AuthorityError(.identityRefused, "\(identity) has no pod on the node that asks for its certificate")
        }
    }
}
