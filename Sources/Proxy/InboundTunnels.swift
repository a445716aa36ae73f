internal import Addressing
internal import Kernel
internal import Mesh
internal import Telemetry
internal import Transport
internal import Tunnel

/// The tunnels that peers open to this loop's pods: makes an `InboundStream` of each CONNECT, and a refusal of each
/// connection that never became a tunnel.
final class InboundTunnels: TunnelAcceptor.Delegate {
    private let acceptor: TunnelAcceptor
    /// Owns this object.
    weak var proxy: ProxyLoop?

    init(acceptor: TunnelAcceptor) {
        self.acceptor = acceptor
        acceptor.delegate = self
        acceptor.onLinkEnded = { [unowned self] in proxy?.tunnelEnded() }
    }

    func accept(_ socket: consuming TCPSocket, as identity: SPIFFEID, _ tunnel: AcceptedTunnel) {
        if let reached = proxy?.memoryLimitReached {
            socket.setResetOnClose()
            return tunnelFailed(
                TunnelFailure(.limitMemory, MemoryBudget.text(of: reached), mayRetryElsewhere: true), of: tunnel)
        }
        if let failure = acceptor.accept(socket, as: identity, tunnel) { tunnelFailed(failure, of: tunnel) }
        proxy?.tellLoad()
        // One that came back from another loop meanwhile.
        if proxy?.isDraining ?? false { acceptor.drain() }
    }

    func drain() { acceptor.drain() }

    /// Tunnels that are open or being opened.
    var count: Int { acceptor.count }

    func reviewTrust() { acceptor.reviewTrust() }

    /// Ends the handshakes that are under way.
    func shutDown() { acceptor.giveUpHandshakes() }

    func drain(enrolment: UInt64) { acceptor.drain(enrolment: enrolment) }

    var isQuiet: Bool { acceptor.isQuiet }

    func received(_ request: Result<ConnectRequest, RequestRefusal>, on stream: TunnelStream, of tunnel: AcceptedTunnel)
    {
        // A tunnel outlives its pod's enrolment, and then another pod may have the name, the address, or both.
        guard let proxy, let pod = proxy.pod(tunnel.workload), pod.enrolment == tunnel.enrolment else {
            return stream.refuse(status: 503)
        }
        let connection = InboundStream(
            stream: stream, request: try? request.get(), clientAddress: tunnel.client,
            localAddress: tunnel.localAddress,
            pod: pod, proxy: proxy)
        proxy.begin(connection)
        stream.attend(connection)
        do throws(RequestRefusal) {
            _ = try request.get().destination(local: tunnel.localAddress)
            connection.start()
        } catch {
            connection.refuse(error.reason, Self.text(of: error.reason, at: tunnel))
        }
    }

    private static func text(of reason: Reason, at tunnel: AcceptedTunnel) -> String {
        switch reason {
        case .notConnect: "only CONNECT is served on port \(MeshPorts.hbone)"
        case .badAuthority: "the :authority of the CONNECT is not an address and a port"
        case .destinationMismatch: "the :authority is not this pod (\(tunnel.localAddress))"
        case .selfCall: "the :authority names a port that belongs to the mesh itself"
        default: reason.rawValue
        }
    }

    func tunnelFailed(_ failure: TunnelFailure, of tunnel: AcceptedTunnel) {
        guard let proxy else { return }
        proxy.journal.abused(failure)
        var record = ConnectionRecord(
            id: proxy.nextConnectionID(), direction: .inbound,
            security: failure.peer == nil ? .plaintext : .mutualTLS,
            source: PeerFacts(
                address: tunnel.client.address, workload: proxy.snapshot.workload(at: tunnel.client.address.ip),
                identity: failure.peer),
            destination: PeerFacts(
                address: SocketAddress(tunnel.localAddress, MeshPorts.hbone),
                workload: proxy.snapshot.workload(tunnel.workload),
                identity: nil),
            openedAt: proxy.moment)
        record.closedAt = proxy.moment
        record.reason = failure.reason
        record.detail = failure.abuse.map { "\($0.rawValue): \(failure.detail)" } ?? failure.detail
        record.snapshotVersion = proxy.snapshot.version
        proxy.journal.refused(record)
    }
}
