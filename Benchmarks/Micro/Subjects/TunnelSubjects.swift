import Addressing
import Mesh
import Tunnel

extension Subject {
    /// A stream's whole life between two sessions in memory.
    static let connectRoundTrip = Subject(
        name: "connect", summary: "CONNECT, its 200, 200 bytes each way, both ends: two sessions in memory",
        iterations: 1_000
    ) { try roundTrips(TunnelWire(seals: false)) }

    /// The same inside TLS, which costs two records each way.
    static let sealedRoundTrip = Subject(
        name: "connect-tls", summary: "the same through two TLS connections, established already", iterations: 1_000
    ) { try roundTrips(TunnelWire(seals: true)) }

    private static func roundTrips(_ wire: TunnelWire) throws -> (Int) throws -> Void {
        let request = ConnectRequest(
            authority: .address(SocketAddress(SampleMesh.workloadAddress(2), 8080)),
            baggage: Baggage(try SampleMesh.workload(1)).text)
        let payload = [UInt8](repeating: 0x61, count: 200)
        return { count in
            for _ in 0..<count { try wire.roundTrip(request, payload) }
        }
    }
}
