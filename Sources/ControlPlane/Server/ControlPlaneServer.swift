internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import NIOCore
internal import NIOSSL

/// The mesh's controller over the network: delta discovery, signing, and the sessions of nodes, over mutual TLS.
///
///     node ──TLS, any certificate──> caller check ──> services ──> handler
///                                     │ against the trust that counts now
///                                     └─ no node of the mesh: UNAUTHENTICATED, but for Join
package final class ControlPlaneServer: Sendable {
    /// Where to listen.
    package enum Listener: Hashable, Sendable {
        /// A socket that listens already; the server takes it and closes it.
        case descriptor(Int32)
        /// An address in text and a port, 0 for any.
        case address(String, port: UInt16)
    }

    private let trust: CurrentTrust
    private let credential: ServerCredential
    private let streams: StreamTable
    private let server: GRPCServer<HTTP2ServerTransport.Posix>
    private let trustChanges: AsyncStream<Void>
    private let trustChange: AsyncStream<Void>.Continuation

    /// - Throws: `invalidConfiguration` if the identity or the listener is not what it should be.
    package convenience init(
        _ listener: Listener, identity: ControlPlaneIdentity, trust: MeshTrust, handler: any ControlPlaneHandler,
        limits: StreamLimits = StreamLimits()
    ) throws(ControlPlaneError) {
        try self.init(
            listener, identity: identity, trust: trust, handler: handler, limits: limits, liveness: Liveness(),
            connections: ConnectionGate.Limits())
    }

    init(
        _ listener: Listener, identity: ControlPlaneIdentity, trust: MeshTrust, handler: any ControlPlaneHandler,
        limits: StreamLimits, liveness: Liveness, connections: ConnectionGate.Limits
    ) throws(ControlPlaneError) {
        let current = CurrentTrust(trust)
        let credential = try ServerCredential(identity)
        let streams = StreamTable(limits)
        self.streams = streams
        self.trust = current
        self.credential = credential
        (trustChanges, trustChange) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        let gate = ConnectionGate(connections)
        let check = CallerCheck(trust: current, gate: gate) { handler.callRefused($0) }
        server = GRPCServer(
            transport: try Self.makeTransport(listener, credential, Self.configuration(liveness, gate)),
            services: [ControlPlaneServices(handler: handler, streams: streams)], interceptors: [check])
    }

    /// Serves until it is cancelled or shut down. Throws what ends the listening.
    package func run() async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { [server] in try await server.serve() }
            group.addTask { await self.followTrust() }
            try await group.next()
            group.cancelAll()
        }
    }

    /// The port that it listens on; nil if it has none, or ended.
    package var port: UInt16? {
        get async {
            guard let address = try? await server.transport.listeningAddress else { return nil }
            return (address.ipv4?.port ?? address.ipv6?.port).flatMap(UInt16.init(exactly:))
        }
    }

    /// From now on another certificate is shown.
    /// - Throws: `invalidConfiguration`: the one before it stays.
    package func replace(identity: ControlPlaneIdentity) throws(ControlPlaneError) {
        try credential.replace(with: identity)
    }

    /// From now on callers are checked against `trust`. Streams of nodes that do not pass any more are closed.
    package func replace(trust: MeshTrust) {
        self.trust.replace(with: trust)
        trustChange.yield()
    }

    /// Takes no more calls and closes the streams; `run` returns then.
    package func shutDown() {
        server.beginGracefulShutdown()
        for stream in streams.all { stream.close("the controller ends") }
    }

    private func followTrust() async {
        for await _ in trustChanges {
            let verifier = trust.verifier
            for stream in streams.all {
                if case .refused(let reason) = await verifier.caller(stream.chain) { stream.close(reason) }
            }
        }
    }

    // MARK: The transport

    private static func makeTransport(
        _ listener: Listener, _ credential: ServerCredential, _ configuration: HTTP2ServerTransport.Posix.Config
    ) throws(ControlPlaneError) -> HTTP2ServerTransport.Posix {
        let security: HTTP2ServerTransport.Posix.TransportSecurity
        do {
            security = try .mTLS(certificateReloader: credential) { tls in
                tls.requireALPN = true
                // The handshake proves possession of the key. Whether the certificate counts is for each call to find
                // out, since only a call can be answered with what to do about it.
                tls.customVerificationCallback = { certificates, promise in
                    promise.succeed(
                        certificates.isEmpty
                            ? .failed
                            : .certificateVerified(VerificationMetadata(ValidatedCertificateChain(certificates))))
                }
            }
        } catch {
            throw ControlPlaneError(.invalidConfiguration, "the controller's certificate cannot be used: \(error)")
        }
        switch listener {
        case .descriptor(let descriptor):
            return HTTP2ServerTransport.Posix(
                listeningSocketDescriptor: Int(descriptor), transportSecurity: security, config: configuration)
        case .address(let host, let port):
            let address: GRPCNIOTransportCore.SocketAddress =
                host.contains(":") ? .ipv6(host: host, port: Int(port)) : .ipv4(host: host, port: Int(port))
            return HTTP2ServerTransport.Posix(address: address, transportSecurity: security, config: configuration)
        }
    }

    private static func configuration(
        _ liveness: Liveness, _ gate: ConnectionGate
    ) -> HTTP2ServerTransport.Posix.Config {
        .defaults { config in
            config.rpc.maxRequestPayloadSize = ControlPlaneLimit.messageFromNode
            config.http2.maxConcurrentStreams = 128
            config.http2.targetWindowSize = 1 << 20
            // A connection without calls is nobody's: a node has its session.
            config.connection.maxIdleTime = .seconds(60)
            config.connection.keepalive.time = liveness.silence
            config.connection.keepalive.timeout = liveness.answer
            config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = liveness.silence / 2
            config.connection.keepalive.clientBehavior.allowWithoutCalls = true
            config.channelDebuggingCallbacks.onAcceptTCPConnection = { gate.accepted($0) }
        }
    }
}
