/// Why a node and the mesh's controller cannot talk to each other.
package struct ControlPlaneError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The closed list of causes; safe as a metric label.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        /// An endpoint, a certificate, a key or a bundle is not what it should be.
        case invalidConfiguration
        /// A file of the node's credential cannot be read or written.
        case fileUnusable
        /// Nobody listens there.
        case connectionRefused
        /// The address cannot be reached, or its name is not known.
        case unreachable
        /// No answer in time.
        case timeout
        /// The peer's certificate does not lead to a root that is trusted.
        case untrustedPeer
        /// The peer's certificate has expired or is not valid yet, or our own.
        case certificateExpired
        /// The peer's certificate is good, but it is somebody else's.
        case wrongPeer
        /// The controller does not take our certificate.
        case unauthenticated
        /// The controller refused what was asked of it.
        case refused
        /// The node has a newer connection: another agent succeeds this one, or has its certificate.
        case displaced
        /// The connection broke, or the controller ended it.
        case disconnected
    }

    /// The cause.
    package let code: Code
    /// What failed, with whom, and what an operator can do.
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
