internal import Addressing
internal import Mesh
internal import Telemetry
internal import Transport
internal import Tunnel

/// Into the mesh: through a tunnel to the endpoint, and to another one if that fails before the first byte.
extension OutboundConnection: TunnelStreamHandler {
    /// Endpoints that are tried before the first byte, the first one included.
    private static let mostAttempts = 3

    /// Begins on `route`, by whichever way leads to its endpoint.
    func open(_ route: TunnelRoute, from source: Workload) {
        opening?.tried.insert(route.endpoint.uid)
        account.routed(route, hostname: proxy.hostname(of: route.service))
        startTimer()
        openOnThisNode(route, from: source)
    }

    func openTunnel(_ route: TunnelRoute, from source: Workload) {
        let address = sourceAddress(of: source, in: route.address.address.ip.family)
        let key = PoolKey(
            source: source.identity, accepted: route.acceptedIdentities, sourceIP: address ?? clientAddress.address.ip,
            destination: route.address)
        let request = ConnectRequest(
            authority: route.authority, baggage: pod.baggage, forwarded: nil, traceParent: nil)
        phase = .over
        // Most clients speak first, and at once: what they say goes out with the CONNECT.
        if opening?.early.isEmpty ?? false { client.expectBytes() }
        takeEarly()
        guard !isOver else { return }
        let stream = proxy.tunnels.open(key, request, sockets: pod.stock, handler: self)
        // A refusal may have been told already, from inside the call.
        if case .over = phase, !isOver { phase = .opening(stream) }
    }

    /// The pod's own address: never one of another family, which cannot be bound, and never anybody else's.
    func sourceAddress(of source: Workload, in family: IPAddress.Family) -> IPAddress? {
        source.addresses.first { $0.family == family }
    }

    /// Takes what the client has said so far, as much as can be kept; whether that was more than before.
    @discardableResult
    func takeEarly() -> Bool {
        switch opening?.early.read(from: client, proxy.resources) {
        case .some(let hasRead): return hasRead
        case .none:
            clientBroke()
            return false
        }
    }

    func sendEarly(on stream: TunnelStream) {
        guard let next = opening?.early.sending({ stream.send($0) }) else { return }
        opening?.early.sent(next)
    }

    func streamOpened(_ stream: TunnelStream) {
        opening?.early.beginAgain()
        sendEarly(on: stream)
    }

    func streamAccepted() {
        guard case .opening(let stream) = phase else { return }
        account.destinationProved(stream.peerIdentity)
        let relay = StreamRelay(socket: client, stream: stream, role: .clientSocket, early: opened(), owner: self)
        phase = .relayingStream(relay)
        if let endpoint { proxy.load.opened(to: endpoint) }
        account.opened(in: proxy.journal, sharing: proxy.patterns)
        relay.start()
    }

    func streamRefused(status: Int) { refused(status: status) }

    /// The destination answered with that status instead of 200.
    func refused(status: Int) {
        phase = .over
        switch status {
        // Envoy says it with 403.
        case 401, 403:
            refuse(.policyDeny, refusedThere(status))
        case 503: retry(.upstreamRefused, "the application did not accept the connection (503)")
        default: refuse(.upstreamRefused, "the peer answered CONNECT with \(status)")
        }
    }

    /// Why is known there only; where to ask is known here.
    private func refusedThere(_ status: Int) -> String {
        let source = pod.workload.map { "\($0.namespace)/\($0.name)" } ?? pod.uid.text
        return "the destination refused it (\(status)), which does not tell peers why; see what denies it with "
            + "`meshnode explain \(source) \(destination.address)`"
    }

    func streamLost(_ failure: TunnelFailure) {
        phase = .over
        if failure.mayRetryElsewhere {
            retry(failure.reason, failure.detail)
        } else {
            refuse(failure.reason, failure.detail)
        }
    }

    func streamReset() {
        phase = .over
        refuse(.peerReset, "the peer reset the stream before it was accepted")
    }

    func streamReceived(_ bytes: RawSpan) {}
    func streamFinished() {}

    func streamWritable() {
        if case .opening(let stream) = phase { sendEarly(on: stream) }
    }

    /// Tries another endpoint of the service, if there is one; the reason of the last attempt stands otherwise.
    private func retry(_ reason: Reason, _ detail: String) {
        if let endpoint { proxy.load.failed(to: endpoint) }
        guard account.isToService, let tried = opening?.tried, tried.count < Self.mostAttempts,
            let source = pod.workload,
            account.openedAt.instant.duration(to: proxy.now) < proxy.settings.connect,
            case .tunnel(let next) = proxy.route(to: destination, from: source, excluding: tried),
            !tried.contains(next.endpoint.uid)
        else { return refuse(reason, detail) }
        open(next, from: source)
    }
}
