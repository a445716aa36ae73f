internal import Addressing
internal import Mesh
internal import Telemetry
internal import Transport

/// To a pod that this loop serves, too: asked and told as through a tunnel, without one. Nothing leaves the node, so
/// there is nothing to seal; what cannot be proved here is left to a tunnel, which fails closed.
extension OutboundConnection: SameNodeOwner {
    /// - Parameter mayLook: false once somebody has looked and cannot tell.
    func openOnThisNode(_ route: TunnelRoute, from source: Workload, mayLook: Bool = true) {
        guard let application = route.joinableApplication, let server = proxy.pod(route.endpoint.uid) else {
            return openTunnel(route, from: source)
        }
        let address = sourceAddress(of: source, in: application.ip.family)
        let facts = SameNodeFacts(
            isJoinable: true, isDraining: proxy.isDraining,
            isServed: proxy.pod(pod.uid) === pod && server.accepts(as: route.endpoint.identity),
            hasSourceAddress: address != nil, isAddressThere: server.addresses.contains(application.ip))
        switch facts.decision {
        case .join:
            if let address, join(SocketAddress(address, clientAddress.address.port), route, application, server) {
                return
            }
        case .look where mayLook: return look(for: application.ip, in: server, route)
        case .look, .tunnel: break
        }
        openTunnel(route, from: source)
    }

    private func look(for address: IPAddress, in server: LocalPod, _ route: TunnelRoute) {
        let probe = AddressProbe(for: address) { [self] isThere in
            if let isThere { server.addresses.looked(for: address, isThere: isThere) }
            // Meanwhile both pods may have changed, or gone.
            guard !isOver, let source = pod.workload else {
                return refuse(.unknownSource, "the record of \(pod.uid) has gone")
            }
            openOnThisNode(route, from: source, mayLook: false)
        }
        phase = .probing(probe)
        probe.start(with: server.stock)
    }

    /// False if the two do not prove themselves to each other.
    private func join(
        _ client: SocketAddress, _ route: TunnelRoute, _ application: SocketAddress, _ server: LocalPod
    ) -> Bool {
        guard let source = pod.workload,
            let proof = proxy.identities.prove(
                source.identity, to: route.endpoint.identity, accepting: route.acceptedIdentities,
                at: proxy.moment.secondsSince1970)
        else { return false }
        account.joining(as: proof.destinationIdentity)
        let inbound = SameNodeInbound(
            from: client, source, to: application, of: server, proof: proof, proxy: proxy, owner: self)
        phase = .joining(inbound)
        proxy.begin(inbound)
        inbound.start()
        return true
    }

    func sameNodeOpened(_ socket: StreamSocket) {
        guard case .joining(let inbound) = phase else { return socket.reset() }
        let relay = SocketRelay(
            client: client, server: socket, early: opened(), resources: proxy.resources, owner: self)
        phase = .relayingSameNode(inbound)
        if let endpoint { proxy.load.opened(to: endpoint) }
        account.opened(in: proxy.journal, sharing: proxy.patterns)
        inbound.joined(relay)
        relay.start()
    }

    func sameNodeRefused(status: Int) { refused(status: status) }

    func sameNodeEnded(_ reason: Reason, _ detail: String) { close(reason, "at the destination: \(detail)") }
}
