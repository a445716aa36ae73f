package import XDS

/// What a control plane server passes on. Called on threads of gRPC, of several callers at once: go to your own loop.
package protocol ControlPlaneHandler: AnyObject, Sendable {
    /// A node opened a stream. A stream of the same kind that it had before is closed first.
    func streamOpened(_ stream: NodeStream)
    /// A node said something. The next message of this stream is read when `receipt` is gone: keep it for as long as this
    /// one is worked on.
    func received(_ message: ChannelMessage, on stream: NodeStream, receipt: Receipt)
    /// A stream ended; `cause` is for an operator to read. Exactly once for each that was opened.
    func streamClosed(_ stream: NodeStream, cause: String)
    /// A node asks for the certificate of a workload. Whether it may have it is the handler's to decide.
    func certificateRequested(
        _ request: CertificateRequest, node: String, answer: PendingAnswer<CertificateResponse.Outcome>)
    /// Somebody who holds the key of the request wants to be a node. Whether the token is good is the handler's to decide.
    func joinRequested(_ request: NodeJoinRequest, answer: PendingAnswer<NodeCertificateOutcome>)
    /// A node, proved by its certificate, asks for its next one.
    func renewalRequested(_ request: NodeRenewalRequest, answer: PendingAnswer<NodeCertificateOutcome>)
    /// A call was refused before it came to anything: for the log.
    func callRefused(_ refusal: CallRefusal)
}

/// A node wants to join.
package struct NodeJoinRequest: Hashable, Sendable {
    /// The join token: a secret.
    package let token: String
    /// The name that the node says it has.
    package let node: String
    /// The certificate signing request, PEM. Its key is the one of the connection.
    package let signingRequestPEM: String
    /// Where the call came from, for the log.
    package let address: String
}

/// A node asks for its next certificate.
package struct NodeRenewalRequest: Hashable, Sendable {
    /// By the certificate of the connection.
    package let node: String
    /// The certificate signing request, PEM; its key may be new.
    package let signingRequestPEM: String
}

/// The answer to a node that joins or renews.
package enum NodeCertificateOutcome: Hashable, Sendable {
    /// PEM: the leaf first, then what is between, without the root; and every root that is trusted.
    case issued(chainPEM: [String], trustBundlePEM: String)
    /// Why not, for an operator to read.
    case refused(String)
}

/// A call that was refused because of who made it.
package struct CallRefusal: Hashable, Sendable {
    /// Such as `ipv4:10.0.0.1:1234`.
    package let address: String
    /// The method, such as `Session`.
    package let call: String
    /// What the caller was told.
    package let reason: String
}
