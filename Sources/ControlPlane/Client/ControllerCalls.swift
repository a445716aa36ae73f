internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import GRPCProtobuf
internal import SwiftProtobuf
internal import XDS

/// The calls that a node makes and that have one answer.
struct ControllerCalls: Sendable {
    let client: GRPCClient<HTTP2ClientTransport.Posix>
    let endpoint: ControllerEndpoint

    func createCertificate(_ request: CertificateRequest) async throws(ControlPlaneError) -> [String] {
        let response: Istio_V1_Auth_IstioCertificateResponse = try await call(
            ControlPlaneMethod.certificate, request.request)
        return response.certChain
    }

    func renew(_ credential: NodeCredential) async throws(ControlPlaneError) -> NodeCredential {
        var request = Meshnode_Wire_RenewRequest()
        request.csr = try credential.key.signingRequestPEM()
        let response: Meshnode_Wire_NodeCertificate = try await call(ControlPlaneMethod.renew, request)
        return try NodeCredential(
            key: credential.key, chainPEM: response.chain, trustBundlePEM: response.trustBundle,
            expectedNode: credential.node)
    }

    func join(
        token: String, node: String, key: NodeKey
    ) async throws(ControlPlaneError) -> NodeCredential {
        var request = Meshnode_Wire_JoinRequest()
        request.token = token
        request.node = node
        request.csr = try key.signingRequestPEM()
        let response: Meshnode_Wire_NodeCertificate = try await call(ControlPlaneMethod.join, request)
        return try NodeCredential(
            key: key, chainPEM: response.chain, trustBundlePEM: response.trustBundle, expectedNode: node)
    }

    private func call<Input: Message, Output: Message>(
        _ method: MethodDescriptor, _ input: Input
    ) async throws(ControlPlaneError) -> Output {
        do {
            return try await client.unary(
                request: ClientRequest(message: input), descriptor: method,
                serializer: ProtobufSerializer<Input>(), deserializer: ProtobufDeserializer<Output>(),
                options: .toController(timeout: ControlPlaneClient.answerTime)
            ) { try $0.message }
        } catch {
            throw ControlPlaneError(error, endpoint: endpoint)
        }
    }
}
