import DataPlaneTestSupport
import Identity
import Mesh
import TLS
import TestSupport
import Testing
import Tunnel

@testable import Transport

@Suite struct `A tunnel whose trust changes` {
    /// Roots of the mesh's domain, one change after `old`.
    private func bundles(after old: TrustBundles, roots: [UInt8]...) throws -> TrustBundles {
        var bundles = old
        try bundles.replaceRoots(of: Certificates.mesh, with: roots.flatMap { try Certificate.parsePEM($0) })
        return bundles
    }

    private func change(_ world: TunnelWorld, client: TrustBundles? = nil, server: TrustBundles? = nil) throws {
        try world.test.on {
            if let client {
                world.clientIdentities.update(client)
                world.pool.reviewTrust()
            }
            if let server {
                world.serverIdentities.update(server)
                world.acceptor.reviewTrust()
            }
        }
    }

    @Test(arguments: [false, true])
    func `is cut at once when the peer's certificate is taken back, whichever side learns of it`(
        atServer: Bool
    ) throws {
        let world = try TunnelWorld()
        let client = try world.accepted(world.open())
        let server = try world.application()
        var bundles = try Certificates.bundles()
        bundles.replaceRevoked([(atServer ? Certificates.client : Certificates.server).serial])
        try change(world, client: atServer ? nil : bundles, server: atServer ? bundles : nil)
        #expect(client.app.receiveAll().end == .reset)
        #expect(server.receiveAll().end == .reset)
        let carrier = atServer ? try world.carrier() : client.carrier
        try world.wait(for: .lost(.certificateRevoked), on: carrier)
        // The next dial shows the same certificate, and gets nowhere.
        let next = try world.open(port: 81)
        #expect(next.app.receiveAll().end == .reset)
        try world.end()
    }

    @Test func `takes no new streams when the roots change, and those that run, run on`() throws {
        let world = try TunnelWorld()
        let client = try world.accepted(world.open())
        let server = try world.application()
        try change(world, server: bundles(after: Certificates.bundles(), roots: Certificates.foreign.rootPEM))
        // Who is not trusted has to dial anew, and is refused.
        let next = try world.open(port: 81)
        #expect(next.app.receiveAll().end == .reset)
        try world.test.wait(for: "the refusal") {
            world.apps.failures.contains { $0.reason == .trustDomainMismatch }
        }
        client.app.send([1])
        #expect(server.receive(1) == [1])
        server.send([2])
        #expect(client.app.receive(1) == [2])
        try world.end()
    }

    @Test func `is cut at the deadline when the roots change`() throws {
        let world = try TunnelWorld(grace: .milliseconds(10))
        let client = try world.accepted(world.open())
        let server = try world.application()
        try change(world, server: bundles(after: Certificates.bundles(), roots: Certificates.foreign.rootPEM))
        #expect(client.app.receiveAll().end == .reset)
        #expect(server.receiveAll().end == .reset)
        try world.wait(for: .lost(.trustDomainMismatch), on: try world.carrier())
        try world.end()
    }

    @Test func `does nothing for a peer that loses trust during the handshake`() throws {
        let world = try TunnelWorld()
        let new = try bundles(after: Certificates.bundles(), roots: Certificates.foreign.rootPEM)
        try world.test.on {
            world.onAccepted = {
                world.serverIdentities.update(new)
                world.acceptor.reviewTrust()
            }
        }
        let client = try world.open()
        #expect(client.app.receiveAll().end == .reset)
        try world.test.on { #expect(world.apps.identities.isEmpty) }
        try world.end()
    }

    @Test func `goes on when roots are added, and when one goes that nobody needs`() throws {
        let world = try TunnelWorld()
        let client = try world.accepted(world.open())
        let server = try world.application()
        let both = try bundles(
            after: Certificates.bundles(), roots: Certificates.home.rootPEM, Certificates.foreign.rootPEM)
        try change(world, client: both, server: both)
        let old = try bundles(after: both, roots: Certificates.home.rootPEM)
        try change(world, client: old, server: old)
        _ = try world.accepted(world.open(port: 81))
        client.app.send([1])
        #expect(server.receive(1) == [1])
        try world.test.on { #expect(world.pool.count == 1) }
        try world.end()
    }

    @Test func `loses no connection while the root of the mesh is replaced step by step`() throws {
        let world = try TunnelWorld()
        func reissued(_ account: String, _ version: UInt64) throws -> SVID {
            let identity = Certificates.identity(account)
            let issued = try Certificates.foreign.issue(sans: ["URI:\(identity)"])
            return try SVID(
                identity: identity, chain: Certificate.parsePEM(issued.chainPEM), key: PrivateKey(pem: issued.keyPEM),
                version: version)
        }
        var ends = [try world.accepted(world.open(port: 81))]
        let both = try bundles(
            after: Certificates.bundles(), roots: Certificates.home.rootPEM, Certificates.foreign.rootPEM)
        try change(world, client: both, server: both)
        ends.append(try world.accepted(world.open(port: 82)))
        let (newClient, newServer) = (try reissued("client", 2), try reissued("server", 2))
        try world.test.on {
            try world.clientIdentities.update(newClient)
            try world.serverIdentities.update(newServer)
            world.pool.reviewTrust()
            world.acceptor.reviewTrust()
        }
        ends.append(try world.accepted(world.open(port: 83)))
        let new = try bundles(after: both, roots: Certificates.foreign.rootPEM)
        try change(world, client: new, server: new)
        ends.append(try world.accepted(world.open(port: 84)))
        for (end, port) in zip(ends, 81...84) {
            end.app.send([7])
            #expect(try world.application(UInt16(port)).receive(1) == [7])
        }
        try world.end()
    }
}

@Suite struct `A tunnel whose own certificate comes to its end` {
    private func renewed(_ world: TunnelWorld, _ old: SVID) throws {
        let svid = try SVID(identity: old.identity, chain: old.chain, key: old.key, version: old.version + 1)
        try world.test.on {
            try world.clientIdentities.update(svid)
            world.pool.reviewTrust()
        }
    }

    @Test func `stays in use after a renewal, for there is time`() throws {
        let world = try TunnelWorld()
        _ = try world.accepted(world.open(port: 81))
        try renewed(world, Certificates.client)
        _ = try world.accepted(world.open(port: 82))
        try world.test.on { #expect(world.pool.count == 1) }
        try world.end()
    }

    @Test func `is replaced before it expires, and its streams run on`() throws {
        let world = try TunnelWorld()
        let first = try world.accepted(world.open(port: 81))
        let lifetime = Certificates.client.notAfter - Certificates.client.notBefore
        try world.test.on { world.clockSkew = lifetime - lifetime / 20 }
        try renewed(world, Certificates.client)
        try world.test.wait(for: "the old tunnel to drain") { world.pool.allLinks.allSatisfy { !$0.canOpenStream } }
        let second = try world.accepted(world.open(port: 82))
        try world.test.on { #expect(world.pool.count == 2) }
        for (end, port) in [(first, UInt16(81)), (second, 82)] {
            end.app.send([7])
            #expect(try world.application(port).receive(1) == [7])
        }
        try world.end()
    }

    @Test func `drains when there is no certificate any more`() throws {
        let world = try TunnelWorld()
        let first = try world.accepted(world.open(port: 81))
        try world.test.on {
            world.clientIdentities.remove(Certificates.client.identity)
            world.pool.reviewTrust()
        }
        let second = try world.open(port: 82)
        try world.wait(for: .lost(.certificateUnavailable), on: second.carrier)
        first.app.send([7])
        #expect(try world.application(81).receive(1) == [7])
        try world.end()
    }
}

@Suite struct `A stream that meets the end of its tunnel` {
    @Test func `gets another tunnel if the peer said GOAWAY before it looked`() throws {
        let world = try TunnelWorld()
        let first = try world.accepted(world.open(port: 81))
        let (near, app) = try Applications.socketPair()
        let second = try world.test.on {
            // The request and the GOAWAY pass each other.
            for link in world.acceptor.allLinks {
                link.session.goAwayNow()
                link.queueFlush()
            }
            let socket = StreamSocket(
                accepted: .init(number: near), resources: world.dialling)
            let carrier = Carrier(socket)
            try socket.start(carrier)
            carrier.stream = world.pool.open(
                world.key(), ConnectRequest(authority: .address(.init(world.address.ip, 82))), sockets: world.stock,
                handler: carrier)
            return carrier
        }
        try world.wait(for: .accepted, on: second)
        app.send([5])
        #expect(try world.application(82).receive(1) == [5])
        first.app.send([6])
        #expect(try world.application(81).receive(1) == [6])
        try world.test.on { #expect(!second.events.contains { $0 != .accepted }) }
        try world.end()
    }

    @Test func `gets another tunnel if the peer is gone before it answered`() throws {
        let world = try TunnelWorld()
        try world.test.on { world.apps.answer = { $0.authority.port == 82 ? .wait : .accept } }
        let first = try world.accepted(world.open(port: 81))
        let second = try world.open(port: 82)
        try world.test.wait(for: "the request") { world.apps.waiting[82] != nil }
        try world.test.on {
            world.apps.answer = { _ in .accept }
            world.vanish()
        }
        _ = try world.accepted(second)
        #expect(first.app.receiveAll().end == .reset)
        try world.end()
    }

    @Test func `is lost if no tunnel is of use`() throws {
        let world = try TunnelWorld()
        var requests = 0
        try world.test.on {
            world.apps.answer = { _ in
                requests += 1
                world.vanish()
                return .wait
            }
        }
        let client = try world.open()
        try world.wait(for: .lost(.peerReset), on: client.carrier)
        try world.test.on { #expect(requests == 4) }
        try world.end()
    }
}
