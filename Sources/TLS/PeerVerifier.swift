/// Decides during the handshake whether the peer is who it may be. TLS itself proves only that the peer holds the
/// leaf's key.
///
/// One object per connection, called at most once, on the loop that drives the connection.
package protocol PeerVerifier: AnyObject {
    /// - Parameter chain: what the peer presented, leaf first, at least one certificate.
    func verify(chain: [Certificate]) -> PeerVerdict
}

/// What a `PeerVerifier` says.
package enum PeerVerdict: Hashable, Sendable {
    case accepted
    /// The handshake ends with this alert.
    case refused(RefusalAlert)
}

/// The alerts with which a peer's certificate is refused (RFC 8446 section 6.2).
package enum RefusalAlert: Hashable, Sendable {
    case badCertificate
    case certificateExpired
    case certificateRevoked
    case unknownCA
    case unsupportedCertificate
}
