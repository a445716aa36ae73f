internal import CertificateAuthority
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import X509

/// Who makes a call, in place of what the transport knows of the connection.
struct CallContext: ServerContext.TransportSpecific {
    /// Nil for one who proved nothing, and may only join.
    let node: NodeIdentity?
    /// What the caller showed, the leaf first.
    let chain: [Certificate]
}

extension ServerContext {
    /// - Throws: UNAUTHENTICATED if the call did not pass the check, which is a mistake of ours.
    var caller: CallContext {
        get throws {
            guard let caller = transportSpecific as? CallContext else {
                throw RPCError(code: .unauthenticated, message: "the caller is not known")
            }
            return caller
        }
    }
}

/// Lets nodes of the mesh call everything and everybody else with a key of their own nothing but Join. Each call is
/// checked against the trust that counts when it is made.
struct CallerCheck: ServerInterceptor {
    let trust: CurrentTrust
    let gate: ConnectionGate
    let onRefusal: @Sendable (CallRefusal) -> Void

    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>, context: ServerContext,
        next:
            @concurrent @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
            StreamingServerResponse<Output>
    ) async throws -> StreamingServerResponse<Output> {
        let transport = context.transportSpecific as? HTTP2ServerTransport.Posix.Context
        let chain = transport?.peerCertificateChain.map(Array.init) ?? []
        let verifier = trust.verifier
        var context = context
        switch await verifier.caller(chain) {
        case .node(let node):
            gate.proved(context.remotePeer)
            context.transportSpecific = CallContext(node: node, chain: chain)
        case .unproven where context.descriptor.method == ControlPlaneMethod.join.method:
            context.transportSpecific = CallContext(node: nil, chain: chain)
        case .unproven:
            let name = verifier.trust.trustDomain
            throw refused(
                context,
                "this needs the certificate of a node of the mesh '\(name)': join first, with a token that"
                    + " 'meshnode token create --node NAME' makes on the controller")
        case .refused(let reason):
            throw refused(context, reason)
        }
        return try await next(request, context)
    }

    private func refused(_ context: ServerContext, _ reason: String) -> RPCError {
        onRefusal(CallRefusal(address: context.remotePeer, call: context.descriptor.method, reason: reason))
        return RPCError(code: .unauthenticated, message: reason)
    }
}
