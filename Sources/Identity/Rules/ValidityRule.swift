import Mesh
import TLS

/// The leaf is valid now; clocks may differ by five minutes about its beginning, never about its end.
package enum ValidityRule {
    /// How far in the future a certificate may begin, in seconds.
    package static let clockSkew: Int64 = 300

    static func check(_ leaf: Certificate, at now: Int64) -> PeerRefusal? {
        if now > leaf.notAfter {
            let age = now.subtractingReportingOverflow(leaf.notAfter).partialValue
            return PeerRefusal(.certificateExpired, "the peer's certificate \(leaf.serial) expired \(age) s ago")
        }
        guard hasBegun(notBefore: leaf.notBefore, at: now) else {
            let wait = leaf.notBefore.subtractingReportingOverflow(now).partialValue
            return PeerRefusal(
                .certificateNotYetValid,
                "the peer's certificate \(leaf.serial) begins \(wait) s from now: compare the clocks of both nodes")
        }
        return nil
    }

    static func hasBegun(notBefore: Int64, at now: Int64) -> Bool {
        let (latest, overflow) = now.addingReportingOverflow(clockSkew)
        return overflow || notBefore <= latest
    }
}
