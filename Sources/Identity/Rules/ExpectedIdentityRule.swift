import Mesh

/// The peer is one of those that the destination may be. Whoever was reached at the right address with the wrong
/// identity is an impostor or a stale endpoint.
enum ExpectedIdentityRule {
    static func check(_ identity: SPIFFEID, against expectation: PeerExpectation) -> PeerRefusal? {
        guard case .oneOf(let expected) = expectation, !expected.contains(identity) else { return nil }
        let names = expected.map(\.description).sorted().prefix(3).joined(separator: ", ")
        let text = "the peer is \(identity), expected was \(names.isEmpty ? "nobody" : names)"
        let isOtherDomain = !expected.isEmpty && !expected.contains { $0.trustDomain == identity.trustDomain }
        return PeerRefusal(isOtherDomain ? .trustDomainMismatch : .sanMismatch, text)
    }
}
