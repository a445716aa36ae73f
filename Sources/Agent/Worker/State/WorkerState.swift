internal import Mesh

/// What a worker leaves to the next: enough to serve without a controller. A secret, for it holds private keys: it is
/// kept in sealed memory and never on a disk.
struct WorkerState: Hashable, Sendable {
    /// One identity's certificate and key.
    struct Certificate: Hashable, Sendable {
        /// The URI form.
        var identity: String
        /// DER, leaf first.
        var chain: [[UInt8]]
        /// PKCS #8.
        var key: [UInt8]
        /// Counts up with every renewal.
        var version: UInt64
    }

    /// The roots of one trust domain.
    struct Bundle: Hashable, Sendable {
        var trustDomain: String
        /// DER.
        var roots: [[UInt8]]
    }

    /// The node that it is of, so that nothing else is mistaken for it.
    var node: String
    /// When it was written, in seconds since 1970.
    var writtenAt: Int64
    /// The resources of the mesh, as `DeltaClient` saves them.
    var mesh: [UInt8] = []
    var certificates: [Certificate] = []
    var bundles: [Bundle] = []
    /// Serial numbers of certificates that were taken back.
    var revokedSerials: [String] = []

    init(node: String, writtenAt: Int64) {
        self.node = node
        self.writtenAt = writtenAt
    }
}
