package import Addressing
package import Mesh

/// What is known of one end of a connection, as the log and the metrics name it. An empty text is unknown.
///
/// Records are passed on and kept by the thousand, so the names are not in them: they are the workload's, or shared.
package struct PeerFacts: Hashable, Sendable {
    package var address: SocketAddress?
    /// Only from a verified certificate, never from what the mesh believes of an address.
    package var identity: SPIFFEID?
    private let naming: Naming

    private enum Naming: Hashable, Sendable {
        case unknown
        case workload(Workload)
        case names(SharedNames)
    }

    /// - Parameter names: what is known without a record of the workload.
    package init(address: SocketAddress? = nil, names: PeerNames? = nil, identity: SPIFFEID? = nil) {
        self.address = address
        self.identity = identity
        naming = names.map { .names(SharedNames($0)) } ?? .unknown
    }

    /// The facts of `workload` at `address`; its canonical name and revision stand for app and version.
    ///
    /// - Parameter identity: what its certificate proved; nil in plaintext.
    package init(address: SocketAddress?, workload: Workload?, identity: SPIFFEID?) {
        self.address = address
        self.identity = identity
        naming = workload.map { .workload($0) } ?? .unknown
    }

    /// Whose facts they are, if the mesh knows it.
    package var workload: WorkloadUID? {
        switch naming {
        case .workload(let workload): workload.uid
        case .names, .unknown: nil
        }
    }

    /// Of the pod.
    package var name: String { text({ $0.name }, or: { $0.name }) }
    /// Of the pod.
    package var namespace: String { text({ $0.namespace }, or: { $0.namespace }) }
    /// Of what made the pod, such as its Deployment; what metrics call the workload.
    package var ownerName: String { text({ $0.owner.name }, or: { $0.ownerName }) }
    /// The name that telemetry knows it by.
    package var canonicalService: String { text({ $0.canonicalName }, or: { $0.canonicalService }) }
    /// The revision that telemetry knows it by.
    package var canonicalRevision: String { text({ $0.canonicalRevision }, or: { $0.canonicalRevision }) }
    /// Its `app`.
    package var app: String { text({ $0.canonicalName }, or: { $0.app }) }
    /// Its `version`.
    package var version: String { text({ $0.canonicalRevision }, or: { $0.version }) }
    /// The cluster that it runs in.
    package var cluster: String { text({ $0.cluster }, or: { $0.cluster }) }
    /// Where it runs.
    package var locality: Locality {
        switch naming {
        case .unknown: Locality()
        case .workload(let workload): workload.locality
        case .names(let names): names.value.locality
        }
    }

    @inline(__always)
    private func text(_ ofWorkload: (Workload) -> String, or ofNames: (PeerNames) -> String) -> String {
        switch naming {
        case .unknown: ""
        case .workload(let workload): ofWorkload(workload)
        case .names(let names): ofNames(names.value)
        }
    }
}

/// What one end of a connection is called; an empty text is unknown.
package struct PeerNames: Hashable, Sendable {
    /// Of the pod.
    package var name = ""
    /// Of the pod.
    package var namespace = ""
    /// Of what made the pod, such as its Deployment.
    package var ownerName = ""
    /// The name that telemetry knows it by.
    package var canonicalService = ""
    /// The revision that telemetry knows it by.
    package var canonicalRevision = ""
    /// Its `app`.
    package var app = ""
    /// Its `version`.
    package var version = ""
    /// The cluster that it runs in.
    package var cluster = ""
    /// Where it runs.
    package var locality = Locality()

    /// - Parameters:
    ///   - name: of the pod.
    ///   - namespace: of the pod.
    package init(name: String = "", namespace: String = "") {
        self.name = name
        self.namespace = namespace
    }
}

/// Names on the heap, so that a record is passed on without touching each of them.
private final class SharedNames: Hashable, Sendable {
    let value: PeerNames

    init(_ value: PeerNames) { self.value = value }

    static func == (left: SharedNames, right: SharedNames) -> Bool {
        left === right || left.value == right.value
    }

    func hash(into hasher: inout Hasher) { hasher.combine(value) }
}
