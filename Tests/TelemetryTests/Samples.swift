import Addressing
import Mesh
import Telemetry
import TestSupport

let clusterLocal = TrustDomain("cluster.local")!
let start = ContinuousClock().now

func pod(_ name: String, of deployment: String, in namespace: String = "shop") -> Workload {
    Workload(
        uid: WorkloadUID(cluster: "Kubernetes", podNamespace: namespace, podName: name), name: name,
        namespace: namespace, serviceAccount: deployment, trustDomain: clusterLocal, addresses: [],
        locality: Locality(region: "eu", zone: "eu-1"), owner: WorkloadOwner(kind: .deployment, name: deployment),
        canonicalName: deployment, canonicalRevision: "v1")
}

/// A connection from shop/web to pay/api as one side's proxy tells of it.
func record(
    _ direction: ConnectionRecord.Direction = .outbound, id: UInt64 = 7, source: Workload? = pod("web-1", of: "web"),
    destination: Workload? = pod("api-1", of: "api", in: "pay"), security: ConnectionRecord.Security = .mutualTLS,
    reason: Reason? = nil, detail: String? = nil, isClosed: Bool = true
) -> ConnectionRecord {
    func facts(_ workload: Workload?, _ address: String) -> PeerFacts {
        PeerFacts(
            address: socketAddress(address), workload: workload,
            identity: security == .mutualTLS ? workload?.identity : nil)
    }
    var record = ConnectionRecord(
        id: id, direction: direction, security: security, source: facts(source, "10.0.0.1:40000"),
        destination: facts(destination, "10.0.0.2:8080"), service: NamespacedName(namespace: "pay", name: "api"),
        hostname: "api.pay.svc.cluster.local", openedAt: Moment(instant: start, secondsSince1970: 1_795_356_130))
    if security == .mutualTLS { record.hboneAddress = socketAddress("10.0.0.2:15008") }
    record.bytesSent = 2048
    record.bytesReceived = 100
    record.reason = reason
    record.detail = detail
    if isClosed {
        record.closedAt = Moment(instant: start + .milliseconds(1250), secondsSince1970: 1_795_356_131)
    }
    return record
}

/// The value of the one sample of `name` whose labels contain `labels`; nil if there is none.
func value(_ name: String, _ labels: [String: String] = [:], in registry: MetricRegistry) -> MetricFamily.Value? {
    registry.metricFamilies().first { $0.name == name }?.samples.first { sample in
        labels.allSatisfy { sample.labels[$0.key] == $0.value }
    }?.value
}
