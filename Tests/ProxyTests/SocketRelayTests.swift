import Addressing
import DataPlaneTestSupport
import Kernel
import Mesh
import TestSupport
import Testing
import Transport

@testable import Proxy

/// A relay between two applications.
private final class RelayWorld: RelayOwner, @unchecked Sendable {
    // @unchecked: touched on the loop only, but for the two applications.
    let test: TestLoop
    let client: PlainSocket
    let server: PlainSocket
    private(set) var relay: SocketRelay?
    private(set) var end: RelayEnd?
    private(set) var bytes = RelayedBytes()
    private(set) var nearServer: StreamSocket?
    let resources: LoopResources

    init() throws {
        let test = try TestLoop()
        let resources = LoopResources(loop: test.loop)
        let listener = try PlainListener()
        client = try PlainSocket(connectedTo: listener.address)
        let first = try listener.acceptNonblocking()
        server = try PlainSocket(connectedTo: listener.address)
        let second = try listener.acceptNonblocking()
        self.test = test
        self.resources = resources
        try test.on { [self] in
            let sockets = [first, second].map {
                StreamSocket(accepted: .init(number: $0), resources: resources)
            }
            for socket in sockets { try socket.start(Deaf()) }
            let relay = SocketRelay(client: sockets[0], server: sockets[1], resources: resources, owner: self)
            self.relay = relay
            nearServer = sockets[1]
            relay.start()
        }
    }

    func relayEnded(_ end: RelayEnd, bytes: RelayedBytes) {
        #expect(self.end == nil)
        self.end = end
        self.bytes = bytes
        relay = nil
    }

    func waitForEnd() throws -> RelayEnd {
        try test.wait(for: "the end of the relay") { self.end != nil }
        return try #require(end)
    }

    private final class Deaf: StreamSocketDelegate {
        func socketConnected(_ socket: StreamSocket) {}
        func socketFailed(_ socket: StreamSocket, errorNumber: Int32) {}
        func socketReadable(_ socket: StreamSocket) {}
        func socketDrained(_ socket: StreamSocket, count: Int) {}
    }
}

@Suite struct `A relay between two sockets` {
    @Test(arguments: [false, true])
    func `carries both directions, each to its own end, and counts from the client's side`(serverFirst: Bool) throws {
        let world = try RelayWorld()
        defer { world.test.end() }
        let (client, server) = (world.client, world.server)
        let (first, second) = serverFirst ? (server, client) : (client, server)
        let (firstCount, secondCount) = (3 << 20, 1 << 20)
        let one = Work { first.stream(firstCount, seed: 1) }
        #expect(second.digestAll().digest == (try one.wait()))
        let two = Work { second.stream(secondCount, seed: 2) }
        let result = first.digestAll()
        #expect(result.end == .finished)
        #expect(result.digest == (try two.wait()))
        #expect(try world.waitForEnd() == .finished)
        let (sent, received) = serverFirst ? (secondCount, firstCount) : (firstCount, secondCount)
        #expect(world.bytes == RelayedBytes(sent: UInt64(sent), received: UInt64(received)))
        try world.test.on { #expect(world.resources.pendingPool.lentCount == 0) }
    }

    @Test(arguments: [false, true])
    func `passes on a reset`(serverResets: Bool) throws {
        let world = try RelayWorld()
        defer { world.test.end() }
        (serverResets ? world.server : world.client).reset()
        #expect((serverResets ? world.client : world.server).receiveAll().end == .reset)
        #expect(try world.waitForEnd() == .broken(serverResets ? .serverReset : .clientReset))
    }

    @Test func `passes on a reset that comes after a FIN`() throws {
        let world = try RelayWorld()
        defer { world.test.end() }
        world.client.finish()
        #expect(world.server.receiveAll().end == .finished)
        world.server.reset()
        #expect(world.client.receiveAll().end == .reset)
        #expect(try world.waitForEnd() == .broken(.serverReset))
    }

    @Test func `resets both sides when it is told to`() throws {
        let world = try RelayWorld()
        defer { world.test.end() }
        try world.test.on { world.relay?.abort() }
        #expect(world.client.receiveAll().end == .reset)
        #expect(world.server.receiveAll().end == .reset)
        #expect(world.end == .broken(.closedByUs))
    }

    @Test func `keeps little for one that does not read, and stops the other`() throws {
        let world = try RelayWorld()
        defer { world.test.end() }
        let client = world.client
        let sent = Work { client.stream(48 << 20, seed: 1) }
        try world.test.wait(for: "the server's side to be full") { (world.relay?.waitingCount ?? 0) > 0 }
        try world.test.on {
            #expect((world.relay?.waitingCount ?? 0) <= 1 << 20)
            #expect(world.resources.pendingPool.lentCount <= 17)
        }
        let result = world.server.digestAll()
        #expect(result.digest == (try sent.wait()))
        try world.test.on {
            #expect(world.resources.pendingPool.lentCount == 0)
            #expect(world.resources.pipes.lentCount == 0)
        }
    }

    @Test func `takes much through a pipe, and gives the pipe back`() throws {
        let world = try RelayWorld()
        defer { world.test.end() }
        let (client, server) = (world.client, world.server)
        let one = Work { client.stream(64 << 20, seed: 1) }
        let two = Work { server.stream(64 << 20, seed: 2) }
        try world.test.wait(for: "a pipe in use") { world.resources.pipes.lentCount > 0 }
        let there = Work { server.digestAll() }
        let back = client.digestAll()
        #expect(try there.wait().digest == (try one.wait()))
        #expect(back.digest == (try two.wait()))
        #expect(try world.waitForEnd() == .finished)
        #expect(world.bytes == RelayedBytes(sent: 64 << 20, received: 64 << 20))
        try world.test.on { #expect(world.resources.pipes.lentCount == 0) }
    }

    @Test func `with bytes in its pipe is reset, and they go nowhere`() throws {
        let world = try RelayWorld()
        defer { world.test.end() }
        let client = world.client
        let sent = Work { client.stream(48 << 20, seed: 1) }
        try world.test.wait(for: "bytes in a pipe") {
            world.resources.pipes.lentCount > 0 && (world.relay?.waitingCount ?? 0) > 0
        }
        try world.test.on { world.relay?.abort() }
        _ = try? sent.wait()
        #expect(world.server.receiveAll().end == .reset)
        try world.test.on { #expect(world.resources.pipes.lentCount == 0) }
        // What the pool lends next is empty.
        try world.test.on { #expect(world.resources.pipes.take()?.count == 0) }
    }
}
