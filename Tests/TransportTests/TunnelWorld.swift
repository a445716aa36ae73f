import Addressing
import Bytes
import DataPlaneTestSupport
import Identity
import Kernel
import Mesh
import TestSupport
import Testing
import Tunnel

@testable import Transport

/// A dialling node and an accepting one on one loop, with real TCP, TLS and HTTP/2 between them.
final class TunnelWorld: @unchecked Sendable {
    // @unchecked: everything but `test` and `address` is touched on the loop only.
    let test: TestLoop
    let dialling: LoopResources
    let accepting: LoopResources
    let clientIdentities = LoopIdentities()
    let serverIdentities = LoopIdentities()
    let pool: TunnelPool
    let acceptor: TunnelAcceptor
    let apps: Applications
    let address: SocketAddress
    let stock: SocketStock
    private let door: Door
    /// What is added to the wall clock of both, in seconds.
    var clockSkew: Int64 = 0
    /// Called on the loop when a connection was accepted and its handshake is about to begin.
    var onAccepted: () -> Void = {}

    init(
        client: SVID? = Certificates.client, server: SVID = Certificates.server, serverTrustsAbroad: Bool = false,
        grace: Duration = .seconds(3600), handshakes: HandshakeLimits = HandshakeLimits(),
        windows: WindowBudget = WindowBudget(), dialling diallingLimits: TunnelLimits = TunnelLimits(),
        accepting acceptingLimits: TunnelLimits = TunnelLimits()
    ) throws {
        let test = try TestLoop()
        let dialling = LoopResources(loop: test.loop, tunnelLimits: diallingLimits)
        let accepting = LoopResources(loop: test.loop, windows: windows, tunnelLimits: acceptingLimits)
        let listener = try PlainListener()
        let clientIdentities = clientIdentities
        let serverIdentities = serverIdentities
        var skew: () -> Int64 = { 0 }
        pool = TunnelPool(resources: dialling, identities: clientIdentities, grace: grace) {
            WallClock.secondsSince1970 + skew()
        }
        acceptor = TunnelAcceptor(
            resources: accepting, identities: serverIdentities, grace: grace, handshakes: handshakes
        ) { WallClock.secondsSince1970 + skew() }
        var arrived: (Int) -> Void = { _ in }
        let stock = SocketStock { _, count in arrived(count) }
        arrived = { [unowned stock] count in
            stock.arrived(.v4, (0..<count).map { _ in PlainSocket.makeUnconnected() })
        }
        self.stock = stock
        apps = Applications(resources: accepting)
        acceptor.delegate = apps
        let acceptor = acceptor
        let apps = apps
        var accepted: () -> Void = {}
        door = Door(try listener.makeDescriptor()) { socket, client in
            let tunnel = AcceptedTunnel(
                workload: WorkloadUID("server"), client: ClientAddress(client), localAddress: listener.address.ip)
            if let failure = acceptor.accept(socket, as: server.identity, tunnel) { apps.failures.append(failure) }
            accepted()
        }
        address = listener.address
        self.test = test
        self.dialling = dialling
        self.accepting = accepting
        let door = door
        skew = { [unowned self] in clockSkew }
        accepted = { [unowned self] in onAccepted() }
        try test.on {
            if let client { try clientIdentities.update(client) }
            clientIdentities.update(try Certificates.bundles())
            try serverIdentities.update(server)
            serverIdentities.update(try Certificates.bundles(federated: serverTrustsAbroad))
            try door.open(test.loop)
        }
    }

    func key(
        from source: SVID = Certificates.client, accepting account: String = "server", at place: SocketAddress? = nil
    ) -> PoolKey {
        PoolKey(
            source: source.identity, accepted: [Certificates.identity(account)], sourceIP: ip("127.0.0.1"),
            destination: TunnelAddress(place ?? address))
    }

    /// Asks for a stream, with an application of its own at the near end.
    func open(_ key: PoolKey? = nil, isReading: Bool = true, port: UInt16 = 80) throws -> ClientEnd {
        let (near, far) = try Applications.socketPair()
        return try test.on { [self] in
            let socket = StreamSocket(accepted: TCPSocket(number: near), resources: dialling)
            let carrier = Carrier(socket)
            carrier.isReading = isReading
            try socket.start(carrier)
            let request = ConnectRequest(authority: .address(SocketAddress(address.ip, port)))
            let stream = pool.open(key ?? self.key(), request, sockets: stock, handler: carrier)
            carrier.stream = stream
            return ClientEnd(carrier: carrier, app: far)
        }
    }

    /// Waits for what the carrier noted last.
    func wait(for event: Carrier.Event, on carrier: Carrier) throws {
        try test.wait(for: "\(event)") { carrier.events.contains(event) }
    }

    func accepted(_ end: ClientEnd) throws -> ClientEnd {
        try wait(for: .accepted, on: end.carrier)
        return end
    }

    /// The far application of the stream with `port`.
    func application(_ port: UInt16 = 80) throws -> PlainSocket {
        try test.wait(for: "the application's connection") { self.apps.sockets[port] != nil }
        return try test.on { try #require(self.apps.sockets[port]) }
    }

    func carrier(_ port: UInt16 = 80) throws -> Carrier {
        try test.on { try #require(self.apps.carriers[port]) }
    }

    /// On the loop: the accepting node is gone as if it had been killed, without close_notify.
    func vanish() {
        for link in acceptor.allLinks { link.socket.close() }
    }

    /// Ends everything.
    func end() throws {
        try test.on { [self] in
            door.close()
            pool.drain()
            acceptor.drain()
        }
        test.end()
    }
}

/// The near end of a stream: what carries it, and its application.
struct ClientEnd: @unchecked Sendable {
    let carrier: Carrier
    let app: PlainSocket
}

/// Accepts off a listener.
final class Door: EventHandler {
    private let listener: TCPSocket
    private var registration: EventLoop.Registration?
    private var loop: EventLoop?
    private let handle: (consuming TCPSocket, SocketAddress) -> Void

    init(_ listener: consuming Descriptor, handle: @escaping (consuming TCPSocket, SocketAddress) -> Void) {
        self.listener = TCPSocket(listener)
        self.handle = handle
    }

    func open(_ loop: EventLoop) throws {
        self.loop = loop
        registration = try loop.register(listener.raw, .level, handler: self)
    }

    func close() {
        if let registration { loop?.unregister(registration) }
        registration = nil
    }

    func ready(_ readiness: Readiness) {
        while true {
            guard case .accepted(let socket, let client) = listener.accept() else { return }
            handle(socket, client)
        }
    }
}
