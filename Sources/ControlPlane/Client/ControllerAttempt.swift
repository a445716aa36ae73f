internal import FoundationEssentials
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import GRPCProtobuf
internal import SwiftProtobuf
internal import Synchronization
internal import XDS

/// One attempt to connect to the controller, and the connection that came of it.
final class ControllerAttempt: Sendable {
    /// How it ended.
    struct End: Sendable {
        var error: ControlPlaneError
        /// For how long both streams were there.
        var lasted: Duration
        /// We ended it ourselves, to begin anew at once.
        var isWanted: Bool
    }

    private struct State {
        var takenStreams = 0
        var connectedAt: ContinuousClock.Instant?
        var closeCause: String?
    }

    private typealias Work = @Sendable (ControllerCalls) async -> Void

    /// Within that time the controller must have taken both streams.
    private static let connectTime = Duration.seconds(10)

    private let endpoint: ControllerEndpoint
    private let credential: NodeCredential
    private let liveness: Liveness
    private let connection = ControllerConnection()
    private let state = Mutex(State())
    private let works: AsyncStream<Work>
    private let work: AsyncStream<Work>.Continuation

    init(_ endpoint: ControllerEndpoint, _ credential: NodeCredential, _ liveness: Liveness) {
        self.liveness = liveness
        self.endpoint = endpoint
        self.credential = credential
        (works, work) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
    }

    /// Ends the connection, or the attempt.
    func close(_ cause: String) {
        state.withLock { $0.closeCause = $0.closeCause ?? cause }
        connection.close(cause)
    }

    /// Has `task` done over the connection.
    /// - Returns: false if there is no connection; then nothing is done.
    func perform(_ task: @escaping @Sendable (ControllerCalls) async -> Void) -> Bool {
        guard state.withLock({ $0.connectedAt != nil && $0.closeCause == nil }) else { return false }
        if case .enqueued = work.yield(task) { return true }
        return false
    }

    func run(_ handler: any ControlPlaneClientHandler) async -> End {
        let check = ControllerCheck { [credential] (chain) async throws(ControlPlaneError) in
            try await PeerVerifier(trust: credential.trust).requireController(chain)
        }
        var error: ControlPlaneError
        do throws(ControlPlaneError) {
            let transport = try ControllerTransport.make(
                endpoint, chainPEM: credential.chainPEM, keyPEM: credential.key.pem, check: check, liveness: liveness)
            error = await serve(GRPCClient(transport: transport), handler)
        } catch let failure {
            error = failure
        }
        error = check.reason ?? explained(error)
        let (connectedAt, closeCause) = state.withLock { ($0.connectedAt, $0.closeCause) }
        if let closeCause { error = ControlPlaneError(.disconnected, closeCause) }
        return End(
            error: error, lasted: connectedAt.map { ContinuousClock.now - $0 } ?? .zero, isWanted: closeCause != nil)
    }

    /// The controller does not accept what has expired, and we know better than it what to do.
    private func explained(_ error: ControlPlaneError) -> ControlPlaneError {
        guard error.code == .unauthenticated, credential.notAfter < Int64(Date().timeIntervalSince1970) else {
            return error
        }
        return ControlPlaneError(
            .certificateExpired,
            "the certificate of the node '\(credential.node)' has expired: join again, with a new token from"
                + " 'meshnode token create --node \(credential.node)' on the controller")
    }

    // MARK: The streams

    private func serve(
        _ client: GRPCClient<HTTP2ClientTransport.Posix>, _ handler: any ControlPlaneClientHandler
    ) async -> ControlPlaneError {
        await withTaskGroup(of: ControlPlaneError.self) { group in
            group.addTask { await self.connections(of: client) }
            group.addTask { await self.discovery(client, handler) }
            group.addTask { await self.session(client, handler) }
            group.addTask { await self.closing() }
            group.addTask { await self.requireConnection() }
            group.addTask { await self.calls(client) }
            let first = await group.next() ?? ControlPlaneError(.disconnected, "the connection ended")
            work.finish()
            connection.close(first.message)
            client.beginGracefulShutdown()
            group.cancelAll()
            return first
        }
    }

    private func connections(of client: GRPCClient<HTTP2ClientTransport.Posix>) async -> ControlPlaneError {
        do {
            try await client.runConnections()
            return ControlPlaneError(.disconnected, "the connection to \(endpoint) ended")
        } catch {
            return ControlPlaneError(error, endpoint: endpoint)
        }
    }

    /// Ends when we end the connection, also while the controller does not take what we write.
    private func closing() async -> ControlPlaneError {
        ControlPlaneError(.disconnected, await connection.session.closed() ?? "the connection ended")
    }

    /// Ends only when the controller did not take the streams in time, or with the connection.
    private func requireConnection() async -> ControlPlaneError {
        let clock = ContinuousClock()
        try? await clock.sleep(for: Self.connectTime)
        while !Task.isCancelled, state.withLock({ $0.connectedAt != nil }) {
            // Nothing more to find out: this sleep ends by being cancelled.
            try? await clock.sleep(for: .seconds(3600))
        }
        return ControlPlaneError(
            .timeout, "\(endpoint) did not answer within \(Self.connectTime): is it a controller of meshnode?")
    }

    private func calls(_ client: GRPCClient<HTTP2ClientTransport.Posix>) async -> ControlPlaneError {
        let calls = ControllerCalls(client: client, endpoint: endpoint)
        await withDiscardingTaskGroup { group in
            for await work in works { group.addTask { await work(calls) } }
        }
        return ControlPlaneError(.disconnected, "the connection to \(endpoint) ended")
    }

    private func discovery(
        _ client: GRPCClient<HTTP2ClientTransport.Posix>, _ handler: any ControlPlaneClientHandler
    ) async -> ControlPlaneError {
        await stream(
            client, ControlPlaneMethod.discovery, connection.discovery, ProtobufDeserializer<DeltaResponse>(), handler
        ) { .discoveryResponse($0) }
    }

    private func session(
        _ client: GRPCClient<HTTP2ClientTransport.Posix>, _ handler: any ControlPlaneClientHandler
    ) async -> ControlPlaneError {
        await stream(
            client, ControlPlaneMethod.session, connection.session, ProtobufDeserializer<Meshnode_Wire_Envelope>(),
            handler
        ) { envelope in
            let message = try ChannelMessage(envelope)
            guard message.isSaidByControllers else {
                throw ControlPlaneError(.disconnected, "the controller sent a message that only nodes send")
            }
            return message
        }
    }

    private func stream<Input: Sendable>(
        _ client: GRPCClient<HTTP2ClientTransport.Posix>, _ method: MethodDescriptor, _ queue: OutgoingQueue,
        _ deserializer: some MessageDeserializer<Input>, _ handler: any ControlPlaneClientHandler,
        _ message: @escaping @Sendable (Input) throws -> ChannelMessage
    ) async -> ControlPlaneError {
        do {
            try await client.bidirectionalStreaming(
                request: StreamingClientRequest { writer in _ = try await queue.drain { try await writer.write($0) } },
                descriptor: method, serializer: EncodedMessageSerializer(), deserializer: deserializer,
                options: .toController(timeout: nil)
            ) { response in
                let contents = try response.accepted.get()
                self.streamTaken(handler)
                for try await part in contents.bodyParts {
                    if case .message(let input) = part {
                        handler.controllerSaid(try message(input), on: self.connection)
                    }
                }
            }
            return ControlPlaneError(.disconnected, "the controller at \(endpoint) ended the stream")
        } catch {
            return ControlPlaneError(error, endpoint: endpoint)
        }
    }

    private func streamTaken(_ handler: any ControlPlaneClientHandler) {
        let isConnected = state.withLock { state in
            state.takenStreams += 1
            guard state.takenStreams == 2 else { return false }
            state.connectedAt = ContinuousClock.now
            return true
        }
        if isConnected { handler.controllerConnected(connection) }
    }
}
