internal import CertificateAuthority
internal import FoundationEssentials
internal import GRPCCore
internal import GRPCProtobuf
internal import Mesh
internal import SwiftProtobuf
internal import X509
internal import XDS

/// The calls of nodes, brought to the handler.
struct ControlPlaneServices: RegistrableRPCService {
    let handler: any ControlPlaneHandler
    let streams: StreamTable

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        router.registerHandler(
            forMethod: ControlPlaneMethod.discovery, deserializer: ProtobufDeserializer<DeltaRequest>(),
            serializer: EncodedMessageSerializer()
        ) { request, context in
            try serve(.discovery, request.messages, context) { .discoveryRequest($0) }
        }
        router.registerHandler(
            forMethod: ControlPlaneMethod.session, deserializer: ProtobufDeserializer<Meshnode_Wire_Envelope>(),
            serializer: EncodedMessageSerializer()
        ) { request, context in
            try serve(.session, request.messages, context) { try Self.message(in: $0) }
        }
        registerCertificateMethods(with: &router)
    }

    private func registerCertificateMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        router.registerHandler(
            forMethod: ControlPlaneMethod.certificate,
            deserializer: ProtobufDeserializer<Istio_V1_Auth_IstioCertificateRequest>(),
            serializer: ProtobufSerializer<Istio_V1_Auth_IstioCertificateResponse>()
        ) { request, context in
            try await unary(request) { try await createCertificate($0, try context.caller) }
        }
        router.registerHandler(
            forMethod: ControlPlaneMethod.join, deserializer: ProtobufDeserializer<Meshnode_Wire_JoinRequest>(),
            serializer: ProtobufSerializer<Meshnode_Wire_NodeCertificate>()
        ) { request, context in
            try await unary(request) { try await join($0, try context.caller, address: context.remotePeer) }
        }
        router.registerHandler(
            forMethod: ControlPlaneMethod.renew, deserializer: ProtobufDeserializer<Meshnode_Wire_RenewRequest>(),
            serializer: ProtobufSerializer<Meshnode_Wire_NodeCertificate>()
        ) { request, context in
            try await unary(request) { try await renew($0, try context.caller) }
        }
    }

    private func unary<Input: Sendable, Output: Sendable>(
        _ request: StreamingServerRequest<Input>, _ answer: (Input) async throws -> Output
    ) async throws -> StreamingServerResponse<Output> {
        let request = try await Self.whole(request)
        return StreamingServerResponse(single: ServerResponse(message: try await answer(request.message)))
    }

    /// A caller has so long to say what it wants: anyone may begin a call.
    private static let requestTime = Duration.seconds(10)

    private static func whole<Input: Sendable>(
        _ request: StreamingServerRequest<Input>
    ) async throws -> ServerRequest<Input> {
        try await withThrowingTaskGroup(of: ServerRequest<Input>.self) { group in
            group.addTask { try await ServerRequest(stream: request) }
            group.addTask {
                try await ContinuousClock().sleep(for: requestTime)
                throw RPCError(code: .deadlineExceeded, message: "the request did not come within \(requestTime)")
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw dropped }
            return first
        }
    }

    private static func message(in envelope: Meshnode_Wire_Envelope) throws -> ChannelMessage {
        do {
            let message = try ChannelMessage(envelope)
            guard message.isSaidByNodes else {
                throw RPCError(code: .invalidArgument, message: "a node sent a message that only controllers send")
            }
            return message
        } catch let error as XDSError {
            throw RPCError(code: .invalidArgument, message: error.description)
        }
    }

    // MARK: Certificates

    private func createCertificate(
        _ message: Istio_V1_Auth_IstioCertificateRequest, _ caller: CallContext
    ) async throws -> Istio_V1_Auth_IstioCertificateResponse {
        let node = try node(of: caller)
        let request: CertificateRequest
        do {
            request = try CertificateRequest(message, id: 0)
        } catch {
            throw RPCError(code: .invalidArgument, message: error.description)
        }
        let outcome = await PendingAnswer.waiting { handler.certificateRequested(request, node: node, answer: $0) }
        switch outcome {
        case .issued(let chain): return Istio_V1_Auth_IstioCertificateResponse.with { $0.certChain = chain }
        case .refused(let reason): throw RPCError(code: .permissionDenied, message: reason)
        case nil: throw Self.dropped
        }
    }

    private func join(
        _ message: Meshnode_Wire_JoinRequest, _ caller: CallContext, address: String
    ) async throws -> Meshnode_Wire_NodeCertificate {
        guard let key = caller.chain.first?.publicKey, try SigningRequestReader.isRequest(message.csr, for: key) else {
            throw RPCError(
                code: .invalidArgument, message: "the signing request is not for the key of the connection")
        }
        let request = NodeJoinRequest(
            token: message.token, node: message.node, signingRequestPEM: message.csr, address: address)
        return try Self.certificate(await PendingAnswer.waiting { handler.joinRequested(request, answer: $0) })
    }

    private func renew(
        _ message: Meshnode_Wire_RenewRequest, _ caller: CallContext
    ) async throws -> Meshnode_Wire_NodeCertificate {
        let request = NodeRenewalRequest(node: try node(of: caller), signingRequestPEM: message.csr)
        return try Self.certificate(await PendingAnswer.waiting { handler.renewalRequested(request, answer: $0) })
    }

    private static func certificate(_ outcome: NodeCertificateOutcome?) throws -> Meshnode_Wire_NodeCertificate {
        switch outcome {
        case .issued(let chain, let bundle):
            return Meshnode_Wire_NodeCertificate.with {
                $0.chain = chain
                $0.trustBundle = bundle
            }
        case .refused(let reason): throw RPCError(code: .permissionDenied, message: reason)
        case nil: throw dropped
        }
    }

    private static var dropped: RPCError { RPCError(code: .unavailable, message: "the controller is ending") }

    private func node(of caller: CallContext) throws -> String {
        guard let node = caller.node else {
            throw RPCError(code: .unauthenticated, message: "this needs the certificate of a node")
        }
        return node.name
    }

    // MARK: Streams

    private func serve<Input: Sendable>(
        _ kind: StreamKind, _ messages: RPCAsyncSequence<Input, any Error>, _ context: ServerContext,
        _ read: @escaping @Sendable (Input) throws -> ChannelMessage
    ) throws -> StreamingServerResponse<EncodedMessage> {
        let caller = try context.caller
        let node = try node(of: caller)
        return StreamingServerResponse(of: EncodedMessage.self) { writer in
            let (stream, _) = streams.open(
                node: node, kind: kind, address: context.remotePeer, chain: caller.chain)
            handler.streamOpened(stream)
            let cause = await NodeStreamRun(stream: stream, handler: handler).run(messages, writer, read)
            streams.closed(stream)
            handler.streamClosed(stream, cause: cause.message)
            if let error = cause.error { throw error }
            return [:]
        }
    }
}
