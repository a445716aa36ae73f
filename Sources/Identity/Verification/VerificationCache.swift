package import Mesh
package import TLS

/// Leaves whose chain was verified, so that the next connection of the same peer costs no signature checks.
///
/// Only acceptances are kept, each as long as every certificate of its path is valid and the roots are the same. One
/// per event loop, confined to it.
package final class VerificationCache {
    private struct Entry {
        let identity: SPIFFEID
        let bundleVersion: UInt64
        let notBefore: Int64
        let validUntil: Int64
    }

    private var entries: [CertificateFingerprint: Entry] = [:]
    private let capacity: Int
    /// Look-ups that were answered.
    package private(set) var hitCount = 0

    /// - Parameter capacity: leaves kept at most; the default is more than the peers of a node's loop.
    package init(capacity: Int = 4096) { self.capacity = max(1, capacity) }

    /// Leaves that are kept.
    package var count: Int { entries.count }

    /// Nil if this leaf was not verified against these roots or is not valid at `now` (seconds since 1970).
    package func identity(of leaf: CertificateFingerprint, bundleVersion: UInt64, at now: Int64) -> SPIFFEID? {
        guard let entry = entries[leaf], entry.bundleVersion == bundleVersion, now <= entry.validUntil,
            ValidityRule.hasBegun(notBefore: entry.notBefore, at: now)
        else { return nil }
        hitCount += 1
        return entry.identity
    }

    func insert(_ identity: SPIFFEID, leaf: Certificate, bundleVersion: UInt64, validUntil: Int64) {
        if entries.count >= capacity, entries[leaf.fingerprint] == nil {
            entries = entries.filter { $0.value.bundleVersion == bundleVersion }
            // Still full: honest peers come back soon, so starting over costs one verification each.
            if entries.count >= capacity { entries.removeAll(keepingCapacity: true) }
        }
        entries[leaf.fingerprint] = Entry(
            identity: identity, bundleVersion: bundleVersion, notBefore: leaf.notBefore,
            validUntil: min(leaf.notAfter, validUntil))
    }
}
