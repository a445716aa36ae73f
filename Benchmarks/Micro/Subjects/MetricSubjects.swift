import Addressing
import Mesh
import Telemetry

extension Subject {
    /// What counting costs: one number, and all that a connection's opening and end count.
    static let metrics: [Subject] = [
        Subject(name: "metric-increment", summary: "one addition to a counter", iterations: 10_000) {
            let counter = MetricRegistry().counter("sample_total", help: "A sample.")
            return { count in
                for _ in 0..<count { counter.increment() }
                use(counter.value)
            }
        },
        Subject(
            name: "metric-connection", summary: "a connection's opening, bytes and end, its labels known already",
            iterations: 1_000
        ) {
            let metrics = ConnectionMetrics(registry: MetricRegistry())
            let record = try makeRecord()
            return { count in
                for _ in 0..<count {
                    let counters = metrics.opened(record)
                    counters.addReceived(200)
                    counters.addSent(200)
                    metrics.closed(record, counters)
                }
            }
        },
    ]

    private static func makeRecord() throws -> ConnectionRecord {
        let (client, server) = (try SampleMesh.workload(1), try SampleMesh.workload(2))
        let name = SampleMesh.serviceName(2)
        return ConnectionRecord(
            id: 1, direction: .outbound, security: .mutualTLS,
            source: PeerFacts(
                address: SocketAddress(SampleMesh.workloadAddress(1), 40_000), workload: client,
                identity: client.identity),
            destination: PeerFacts(
                address: SocketAddress(SampleMesh.workloadAddress(2), 8_080), workload: server,
                identity: server.identity),
            hboneAddress: SocketAddress(SampleMesh.workloadAddress(2), MeshPorts.hbone), service: name,
            hostname: "\(name.name).\(name.namespace).svc.cluster.local",
            openedAt: Moment(instant: .now, secondsSince1970: 1_800_000_000))
    }
}
