internal import ControlPlane
internal import Kernel
internal import Mesh
internal import Synchronization
internal import XDS

/// The way to a controller elsewhere: joins the mesh if that is still to be done, dials for ever, and renews the node's
/// certificate. Tells what happens by events, from threads of its own.
///
///     no certificate ──token──> joined ──> dialling <──> connected
final class ControllerLink: Sendable {
    /// What happens.
    enum Event: Sendable, Equatable {
        case connected
        case received(ChannelMessage)
        /// The connection is made anew because the node has another certificate: gone for a moment, and nothing is wrong.
        case reconnecting
        /// There is no connection, and why; told for each attempt.
        case disconnected(String)
        /// Something is wrong that does not end the connection.
        case problem(String)
    }

    /// What the controller told of the mesh's trust last.
    private struct Trust: Equatable {
        var bundlePEM: String
        var revokedSerials: [String]
    }

    private struct State {
        var credential: NodeCredential?
        var trust: Trust?
        var client: ControlPlaneClient?
        var connection: ControllerConnection?
        var running: Task<Void, Never>?
        /// When to renew because the authority signs with another certificate now; nil if it does not.
        var followsAt: ContinuousClock.Instant?
        var onEvent: @Sendable (Event) -> Void = { _ in }
    }

    private let remote: AgentConfiguration.RemoteController
    private let node: String
    private let trustDomain: TrustDomain
    private let files: NodeCredentialFiles
    private let state = Mutex(State())

    /// Between attempts to join.
    private static let joinRetry = Duration.seconds(2)
    private static let renewalRetry = Duration.seconds(5)
    /// The nodes of a mesh do not all follow a new issuer at once.
    private static let followingSpread = 5.0

    init(_ remote: AgentConfiguration.RemoteController, node: String, trustDomain: TrustDomain) {
        self.remote = remote
        self.node = node
        self.trustDomain = trustDomain
        files = NodeCredentialFiles(directory: remote.stateDirectory)
    }

    /// Begins; `onEvent` is called from any thread. What comes of one stream comes in order, and between `connected` and
    /// the end of that connection; a session may bring its first messages just before `connected`.
    func start(_ onEvent: @escaping @Sendable (Event) -> Void) {
        state.withLock { state in
            state.onEvent = onEvent
            // The one task of this process: it lives as long as the process, whose own loop is a thread.
            state.running = Task { await run() }
        }
    }

    func stop() {
        state.withLock { $0.running?.cancel() }
    }

    /// Sends a message to the controller; without a connection it is dropped.
    func send(_ message: ChannelMessage) {
        state.withLock { $0.connection }?.send(message)
    }

    /// Asks for the certificate of a workload; `completion` is called once, from any thread.
    func request(_ request: CertificateRequest, completion: @escaping @Sendable (CertificateResponse) -> Void) {
        guard let client = state.withLock({ $0.client }) else {
            let reason = "this node has not joined the mesh yet"
            return completion(CertificateResponse(id: request.id, outcome: .refused(reason)))
        }
        client.requestCertificate(request, completion: completion)
    }

    /// The controller told, as it does again and again, what the mesh trusts and took back, and which certificate signs. A
    /// node's certificate of another issuer is replaced long before its end: its root may be on its way out.
    func authorityReported(bundlePEM: String, revokedSerials: [String], issuerSerial: String?) {
        guard !bundlePEM.isEmpty else { return }
        let trust = Trust(bundlePEM: bundlePEM, revokedSerials: revokedSerials)
        adopt { state in
            let isOutdated = state.credential?.isOutdated(issuerSerial: issuerSerial) ?? false
            let soon = ContinuousClock.now + .seconds(Double.random(in: 0...Self.followingSpread))
            state.followsAt = isOutdated ? state.followsAt ?? soon : nil
            guard state.trust != trust else { return nil }
            state.trust = trust
            return state.credential
        }
    }

    // MARK: The credential

    /// Goes on with what `choose` gives, under the trust that was told last; with nil nothing changes. Renewal and trust
    /// come from different threads, so each is done whole before the other.
    private func adopt(_ choose: (inout State) -> NodeCredential?) {
        do {
            try state.withLock { state in
                guard let chosen = choose(&state) else { return }
                let trusted = try state.trust.map {
                    try chosen.trusting(bundlePEM: $0.bundlePEM, revokedSerials: $0.revokedSerials)
                }
                let credential = trusted ?? chosen
                state.credential = credential
                state.client?.replace(credential: credential)
                try files.save(credential)
            }
        } catch {
            tell(
                .problem("the node's certificate and its roots cannot be used or kept as the controller told: \(error)")
            )
        }
    }

    /// Renews the certificate at half of its life; joins again with a token if it ran out meanwhile.
    private func keepFresh(_ client: ControlPlaneClient) async {
        var lastProblem: String?
        while !Task.isCancelled {
            guard let credential = state.withLock({ $0.credential }) else { return }
            let now = WallClock.secondsSince1970
            if now > credential.notAfter, remote.joinTokenFile != nil {
                do {
                    let joined = try await join()
                    // What was told before counts no longer: the mesh may have had other roots since.
                    adopt { state in
                        state.trust = nil
                        return joined
                    }
                    lastProblem = nil
                } catch {
                    let problem = "the node's certificate has run out, and it cannot join again: \(error)"
                    if lastProblem != problem { tell(.problem(problem)) }
                    lastProblem = problem
                    try? await Task.sleep(for: Self.joinRetry)
                }
            } else if isRenewalDue {
                await renew(client)
            }
            // Often enough for the shortest lifetimes.
            try? await Task.sleep(for: min(.seconds(1), lifetime / 20))
        }
    }

    private func renew(_ client: ControlPlaneClient) async {
        let result = await withCheckedContinuation { continuation in
            client.renew { continuation.resume(returning: $0) }
        }
        switch result {
        case .success(let renewed):
            adopt { state in
                state.followsAt = nil
                return renewed
            }
        // The certificate is good for as long again.
        case .failure: try? await Task.sleep(for: min(Self.renewalRetry, lifetime / 20))
        }
    }

    private var isRenewalDue: Bool {
        state.withLock { state in
            guard let credential = state.credential, state.connection != nil else { return false }
            let isFollowing = state.followsAt.map { $0 <= .now } ?? false
            return isFollowing || WallClock.secondsSince1970 >= credential.renewalTime
        }
    }

    private var lifetime: Duration {
        let credential = state.withLock { $0.credential }
        return .seconds(max(1, credential.map { $0.notAfter - $0.notBefore } ?? 1))
    }

    // MARK: Running

    private func run() async {
        guard let credential = await obtainCredential() else { return }
        guard let endpoint = try? ControllerEndpoint(remote.address) else {
            return tell(.disconnected("'\(remote.address)' is no HOST:PORT"))
        }
        let client = ControlPlaneClient(endpoint: endpoint, credential: credential, handler: self)
        state.withLock { state in
            state.credential = credential
            state.client = client
        }
        await withTaskGroup { group in
            group.addTask { await client.run() }
            group.addTask { await self.keepFresh(client) }
        }
    }

    /// The credential that is kept, or a new one for the token; tried until there is one. Nil if cancelled.
    private func obtainCredential() async -> NodeCredential? {
        while !Task.isCancelled {
            do {
                if let kept = try files.load(), isUsable(kept) { return kept }
                let joined = try await join()
                try files.save(joined)
                return joined
            } catch {
                tell(.disconnected("\(error)"))
            }
            try? await Task.sleep(for: Self.joinRetry)
        }
        return nil
    }

    /// One that has run out counts as long as there is no token to get another: the controller says what is wrong.
    private func isUsable(_ credential: NodeCredential) -> Bool {
        guard credential.node == node, credential.trustDomain == trustDomain else { return false }
        return credential.notAfter > WallClock.secondsSince1970 || remote.joinTokenFile == nil
    }

    private func join() async throws -> NodeCredential {
        guard let path = remote.joinTokenFile else {
            throw AgentError(
                .badConfiguration,
                "this node has no certificate of the mesh \(trustDomain) in \(remote.stateDirectory): make a token where "
                    + "the controller is (meshnode token create --node \(node)) and name its file with --join-token")
        }
        let token = String(decoding: try Files.read(path, limit: 4096), as: UTF8.self)
        let credential = try await ControlPlaneJoin.join(
            try ControllerEndpoint(remote.address), token: token, node: node, key: try files.key())
        guard credential.trustDomain == trustDomain else {
            throw AgentError(
                .badConfiguration,
                "the controller is of the mesh \(credential.trustDomain), this agent of \(trustDomain): see --trust-domain"
            )
        }
        return credential
    }

    private func tell(_ event: Event) {
        state.withLock { $0.onEvent }(event)
    }
}

extension ControllerLink: ControlPlaneClientHandler {
    func controllerConnected(_ connection: ControllerConnection) {
        state.withLock { $0.connection = connection }
        tell(.connected)
    }

    func controllerSaid(_ message: ChannelMessage, on connection: ControllerConnection) {
        tell(.received(message))
    }

    func controllerLost(_ error: ControlPlaneError, retryDelay: Duration) {
        state.withLock { $0.connection = nil }
        // We ended it ourselves.
        tell(retryDelay == .zero ? .reconnecting : .disconnected(error.description))
    }
}
