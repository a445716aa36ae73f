import DataPlaneTestSupport
import Mesh
import TestSupport
import Testing
import Tunnel

@testable import Transport

@Suite struct `A tunnel pool` {
    @Test func `never shares a session between two source identities`() throws {
        let world = try TunnelWorld()
        try world.test.on { try world.clientIdentities.update(Certificates.other) }
        _ = try world.accepted(world.open(port: 81))
        _ = try world.accepted(world.open(world.key(from: Certificates.other), port: 82))
        _ = try world.accepted(world.open(port: 83))
        try world.test.on {
            #expect(world.pool.count == 2)
            #expect(
                world.apps.identities == [
                    Certificates.client.identity, Certificates.other.identity, Certificates.client.identity,
                ])
        }
        try world.end()
    }

    @Test func `forgets one that waited and left`() throws {
        let world = try TunnelWorld()
        let first = try world.test.on {
            // Still dialling when it is given up.
            let first = try self.open(world, port: 81)
            let second = try self.open(world, port: 82)
            first.stream?.reset()
            first.stream = nil
            return (first, second)
        }
        try world.wait(for: .accepted, on: first.1)
        try world.test.on {
            #expect(world.apps.sockets[81] == nil)
            #expect(first.0.events.isEmpty)
        }
        try world.end()
    }

    @Test func `opens another session when the first is full`() throws {
        let world = try TunnelWorld()
        let count = TunnelLimits().maxOwnStreams + 20
        let clients = try (0..<count).map { try world.open(port: UInt16(1000 + $0)) }
        for client in clients { _ = try world.accepted(client) }
        try world.test.on { #expect(world.pool.count == 2) }
        try world.end()
    }

    @Test func `dials anew for one that asks while a tunnel is being lost`() throws {
        let world = try TunnelWorld()
        let client = try world.accepted(world.open(port: 81))
        var again: Carrier?
        try world.test.on {
            client.carrier.onLost = { again = try? self.open(world, port: 82) }
            world.vanish()
        }
        try world.test.wait(for: "the second stream") { again?.events.contains(.accepted) == true }
        try world.end()
    }

    @Test func `gives up if the pod's sockets do not come`() throws {
        let world = try TunnelWorld()
        var orders = 0
        let empty = SocketStock { _, _ in orders += 1 }
        let carrier = try world.test.on { try self.open(world, port: 81, from: empty) }
        try world.test.on {
            #expect(orders == 1)
            #expect(world.pool.count == 1)
            empty.refused(.v4, errorNumber: 24)
        }
        try world.wait(for: .lost(.limitConnections), on: carrier)
        try world.test.on { #expect(world.pool.count == 0) }
        try world.end()
    }

    /// On the loop: a stream without the wait between steps that `TunnelWorld.open` has.
    private func open(_ world: TunnelWorld, port: UInt16, from stock: SocketStock? = nil) throws -> Carrier {
        let (near, far) = try Applications.socketPair()
        let socket = StreamSocket(
            accepted: .init(number: near), resources: world.dialling)
        let carrier = Carrier(socket)
        carrier.app = far
        try socket.start(carrier)
        carrier.stream = world.pool.open(
            world.key(), ConnectRequest(authority: .address(.init(world.address.ip, port))),
            sockets: stock ?? world.stock, handler: carrier)
        return carrier
    }
}
