package import Mesh
package import TLS

/// Why a peer is not who it may be.
package struct PeerRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// For the access log, the metric and the CLI.
    package let reason: Reason
    /// For an operator: what was found and what was expected.
    package let text: String

    package init(_ reason: Reason, _ text: String) {
        self.reason = reason
        self.text = text
    }

    package var description: String { "\(reason.rawValue): \(text)" }

    /// Whether a tunnel whose peer is refused on second thoughts ends at once, with all that runs in it: somebody took
    /// its certificate back. Otherwise it takes no new streams, and ends when those that run do or the drain's time is
    /// over: the end of trust in a root is planned, and the peer has another certificate by then.
    package var endsTunnelsAtOnce: Bool { reason == .certificateRevoked }

    /// What the peer is told.
    package var alert: RefusalAlert {
        switch reason {
        case .certificateExpired: .certificateExpired
        case .certificateRevoked: .certificateRevoked
        case .trustDomainMismatch: .unknownCA
        case .peerNotMTLS: .unsupportedCertificate
        default: .badCertificate
        }
    }
}
