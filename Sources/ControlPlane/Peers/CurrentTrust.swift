internal import Synchronization

/// The trust that counts now, for connections of any age and on any thread.
final class CurrentTrust: Sendable {
    private let value: Mutex<MeshTrust>

    init(_ trust: MeshTrust) {
        value = Mutex(trust)
    }

    var verifier: PeerVerifier { PeerVerifier(trust: value.withLock { $0 }) }

    func replace(with trust: MeshTrust) {
        value.withLock { $0 = trust }
    }
}
