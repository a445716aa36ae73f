internal import Kernel
internal import Mesh
internal import Transport

/// Around the mesh, to who does not take part in it.
extension OutboundConnection: SocketConnectOwner {
    func connect(_ route: PlaintextRoute) {
        account.routed(route, hostname: proxy.hostname(of: route.service))
        let connect = SocketConnect(
            to: route.address.address, from: nil, isWithinNode: false, timeout: proxy.settings.connect,
            resources: proxy.resources, owner: self)
        phase = .connecting(connect)
        connect.start(with: pod.stock)
    }

    func connected(_ socket: StreamSocket) {
        socket.tuneForNetwork(findsDeadPeers: true)
        let relay = SocketRelay(client: client, server: socket, resources: proxy.resources, owner: self)
        opened()
        phase = .relayingSocket(relay)
        account.opened(in: proxy.journal, sharing: proxy.patterns)
        relay.start()
    }

    func connectFailed(errorNumber: Int32) {
        phase = .over
        let error = SystemError("connect \(destination)", errorNumber)
        refuse(error.isTimeout ? .upstreamTimeout : .upstreamRefused, error.description)
    }
}
