package import Addressing
package import Mesh

/// What is known of one end of a connection, as the log and the metrics name it. An empty text is unknown.
package struct PeerFacts: Hashable, Sendable {
    package var address: SocketAddress?
    package var workload: WorkloadUID?
    /// Of the pod.
    package var name: String
    package var namespace: String
    /// Of what made the pod, such as its Deployment; what metrics call the workload.
    package var ownerName: String
    package var canonicalService: String
    package var canonicalRevision: String
    package var app: String
    package var version: String
    package var cluster: String
    package var locality: Locality
    /// Only from a verified certificate, never from what the mesh believes of an address.
    package var identity: SPIFFEID?

    package init(
        address: SocketAddress? = nil, workload: WorkloadUID? = nil, name: String = "", namespace: String = "",
        ownerName: String = "", canonicalService: String = "", canonicalRevision: String = "", app: String = "",
        version: String = "", cluster: String = "", locality: Locality = Locality(), identity: SPIFFEID? = nil
    ) {
        self.address = address
        self.workload = workload
        self.name = name
        self.namespace = namespace
        self.ownerName = ownerName
        self.canonicalService = canonicalService
        self.canonicalRevision = canonicalRevision
        self.app = app
        self.version = version
        self.cluster = cluster
        self.locality = locality
        self.identity = identity
    }

    /// The facts of `workload` at `address`; its canonical name and revision stand for app and version.
    ///
    /// - Parameter identity: what its certificate proved; nil in plaintext.
    package init(address: SocketAddress?, workload: Workload?, identity: SPIFFEID?) {
        self.init(address: address, identity: identity)
        guard let workload else { return }
        self.workload = workload.uid
        name = workload.name
        namespace = workload.namespace
        ownerName = workload.owner.name
        canonicalService = workload.canonicalName
        canonicalRevision = workload.canonicalRevision
        app = workload.canonicalName
        version = workload.canonicalRevision
        cluster = workload.cluster
        locality = workload.locality
    }
}
