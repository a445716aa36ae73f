// swift-format-ignore-file: NeverForceUnwrap
// A value that a test spells wrongly ends the test run.

import Mesh
import TestSupport
import XDS

@testable import ControlPlane

/// Runs a server for as long as `body` takes.
func withServer<Result: Sendable>(
    _ controller: TestController, listener: ControlPlaneServer.Listener = .address("127.0.0.1", port: 0),
    trust: MeshTrust? = nil, identity: ControlPlaneIdentity? = nil, limits: StreamLimits = StreamLimits(),
    liveness: Liveness = Liveness(), connections: ConnectionGate.Limits = ConnectionGate.Limits(),
    _ body: (ControlPlaneServer, ControllerEndpoint) async throws -> Result
) async throws -> Result {
    let server = try ControlPlaneServer(
        listener, identity: try identity ?? controller.authority.identity(),
        trust: try trust ?? controller.authority.trust(), handler: controller, limits: limits,
        liveness: liveness, connections: connections)
    return try await withThrowingTaskGroup { group in
        group.addTask { try await server.run() }
        guard let port = await server.port else { throw ControlPlaneError(.unreachable, "no port") }
        let result = try await body(server, try ControllerEndpoint("127.0.0.1:\(port)"))
        group.cancelAll()
        return result
    }
}

/// Runs a client for as long as `body` takes.
func withClient<Result: Sendable>(
    _ endpoint: ControllerEndpoint, _ credential: NodeCredential, _ subscriber: TestSubscriber,
    liveness: Liveness = Liveness(), displacedDelay: Duration = .seconds(15),
    _ body: (ControlPlaneClient) async throws -> Result
) async throws -> Result {
    let client = ControlPlaneClient(
        endpoint: endpoint, credential: credential, handler: subscriber, liveness: liveness,
        displacedDelay: displacedDelay)
    return try await withThrowingTaskGroup { group in
        group.addTask { await client.run() }
        let result = try await body(client)
        group.cancelAll()
        return result
    }
}

func workload(_ number: Int, node: String = "n1") -> MeshChange {
    .workloadUpserted(
        Workload(
            uid: WorkloadUID("c//Pod/ns/w\(number)"), name: "w\(number)", namespace: "ns",
            trustDomain: TrustDomain("example.org")!, node: node, addresses: [ip("10.1.0.\(number)")]))
}

extension ControlPlaneClient {
    func certificate(_ request: CertificateRequest) async -> CertificateResponse {
        await withCheckedContinuation { continuation in
            requestCertificate(request) { continuation.resume(returning: $0) }
        }
    }

    func renewed() async throws -> NodeCredential {
        try await withCheckedThrowingContinuation { continuation in renew { continuation.resume(with: $0) } }
    }
}
