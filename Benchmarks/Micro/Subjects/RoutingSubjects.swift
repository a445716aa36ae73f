import Addressing
import Mesh

extension Subject {
    /// Where a connection goes, for each kind of destination.
    static let routing: [Subject] = [
        Subject(
            name: "route-service", summary: "a service's address to one of its 10 endpoints, 10,000 workloads",
            iterations: 2_000
        ) {
            try route { SocketAddress(SampleMesh.serviceAddress($0), 80) }
        },
        Subject(
            name: "route-workload", summary: "a workload's own address, 10,000 workloads", iterations: 2_000
        ) {
            try route { SocketAddress(SampleMesh.workloadAddress($0), 8080) }
        },
        Subject(
            name: "route-unknown", summary: "an address that is not in the mesh", iterations: 2_000
        ) {
            // 198.51.100.0/24 is for documentation (RFC 5737), so it is nobody's here.
            try route { SocketAddress(IPAddress(v4: 198 << 24 | 51 << 16 | 100 << 8), UInt16(1_000 + $0)) }
        },
    ]

    /// Routes connections of one workload to many destinations, each in its turn.
    private static func route(_ makeDestination: (Int) -> SocketAddress) throws -> (Int) throws -> Void {
        let snapshot = try SampleMesh.snapshot()
        let source = try SampleMesh.workload(1)
        let destinations = (0..<997).map { OriginalDestination(makeDestination($0 * 7)) }
        return { count in
            for iteration in 0..<count {
                use(
                    Router.route(
                        destinations[iteration % destinations.count], from: source, in: snapshot,
                        randomBits: UInt64(iteration)))
            }
        }
    }
}
