internal import FoundationEssentials
internal import GRPCCore
internal import Synchronization
package import XDS

/// A node's end of the control plane: dials the mesh's controller, for ever, and keeps both streams open.
///
///     dialling ──both streams taken──> connected ──lost──> waiting ──back-off──> dialling
///         └──────────failed──────────────────────────────────^
package final class ControlPlaneClient: Sendable {
    /// How long the controller may take for a certificate.
    static let answerTime = Duration.seconds(10)

    private struct State {
        var credential: NodeCredential
        var attempt: ControllerAttempt?
        /// Why there is no connection.
        var lost = ControlPlaneError(.disconnected, "there was no connection to the controller yet")
    }

    private let endpoint: ControllerEndpoint
    private let handler: any ControlPlaneClientHandler
    private let liveness: Liveness
    private let displacedDelay: Duration
    private let state: Mutex<State>
    private let wakeUps: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation

    package init(
        endpoint: ControllerEndpoint, credential: NodeCredential, handler: any ControlPlaneClientHandler,
        liveness: Liveness = Liveness(), displacedDelay: Duration = ReconnectBackoff.afterDisplacement
    ) {
        self.endpoint = endpoint
        self.liveness = liveness
        self.displacedDelay = displacedDelay
        self.handler = handler
        state = Mutex(State(credential: credential))
        (wakeUps, wakeUp) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Stays connected until it is cancelled.
    package func run() async {
        var backoff = ReconnectBackoff()
        while !Task.isCancelled {
            let attempt = ControllerAttempt(endpoint, state.withLock { $0.credential }, liveness)
            state.withLock { $0.attempt = attempt }
            let end = await attempt.run(handler)
            state.withLock { state in
                state.attempt = nil
                state.lost = end.error
            }
            if Task.isCancelled { return }
            let delay = delay(after: end, &backoff)
            handler.controllerLost(end.error, retryDelay: delay)
            try? await Task.sleep(for: delay)
        }
    }

    private func delay(after end: ControllerAttempt.End, _ backoff: inout ReconnectBackoff) -> Duration {
        if end.isWanted { return .zero }
        let usual = backoff.ended(lasted: end.lasted, draw: .random(in: 0...1))
        return end.error.code == .displaced ? displacedDelay : usual
    }

    /// From now on another certificate is shown, and other roots are trusted. A connection that is there is made anew if
    /// the certificate is another one: it would not outlive the old one.
    package func replace(credential: NodeCredential) {
        let attempt = state.withLock { state in
            let isNew = state.credential.chainPEM != credential.chainPEM
            state.credential = credential
            return isNew ? state.attempt : nil
        }
        attempt?.close("the node's certificate was replaced")
    }

    /// Asks for the certificate of a workload. `completion` is called once, on any thread, within ten seconds.
    package func requestCertificate(
        _ request: CertificateRequest, completion: @escaping @Sendable (CertificateResponse) -> Void
    ) {
        let respond = { @Sendable (outcome: CertificateResponse.Outcome) in
            completion(CertificateResponse(id: request.id, outcome: outcome))
        }
        perform { call in
            do throws(ControlPlaneError) {
                respond(.issued(chainPEM: try await call.createCertificate(request)))
            } catch {
                respond(.refused(error.description))
            }
        } orElse: {
            respond(.refused($0.description))
        }
    }

    /// Asks for the node's next certificate, with the same key. `completion` is called once, on any thread, within ten
    /// seconds. The caller saves the new credential and gives it to `replace`.
    package func renew(completion: @escaping @Sendable (Result<NodeCredential, ControlPlaneError>) -> Void) {
        let credential = state.withLock { $0.credential }
        perform { call in
            do throws(ControlPlaneError) {
                completion(.success(try await call.renew(credential)))
            } catch {
                completion(.failure(error))
            }
        } orElse: {
            completion(.failure($0))
        }
    }

    private func perform(
        _ work: @escaping @Sendable (ControllerCalls) async -> Void, orElse fail: (ControlPlaneError) -> Void
    ) {
        let (attempt, lost) = state.withLock { ($0.attempt, $0.lost) }
        guard let attempt, attempt.perform(work) else { return fail(lost) }
    }
}
