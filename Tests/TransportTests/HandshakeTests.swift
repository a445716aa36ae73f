import Addressing
import DataPlaneTestSupport
import Foundation
import Identity
import Kernel
import Mesh
import TestSupport
import Testing
import Tunnel

@testable import Transport

@Suite struct `A tunnel that does not come to be` {
    @Test func `names the identity that was not expected`() throws {
        let world = try TunnelWorld(server: Certificates.other)
        let client = try world.open()
        try world.wait(for: .lost(.sanMismatch), on: client.carrier)
        #expect(client.app.receiveAll().end == .reset)
        try world.test.wait(for: "both ends to know") { world.pool.count == 0 && world.acceptor.count == 0 }
        try world.end()
    }

    @Test func `does not believe a trust domain that has no roots here`() throws {
        let world = try TunnelWorld(server: Certificates.stranger)
        let client = try world.open()
        try world.wait(for: .lost(.trustDomainMismatch), on: client.carrier)
        try world.end()
    }

    @Test func `does not let in a client of a trust domain that has no roots here`() throws {
        let world = try TunnelWorld(client: Certificates.stranger)
        let client = try world.open(world.key(from: Certificates.stranger))
        try world.test.wait(for: "the refusal") { !world.apps.failures.isEmpty }
        try world.test.on { #expect(world.apps.failures.map(\.reason) == [.trustDomainMismatch]) }
        try world.test.wait(for: "the client to know") { client.carrier.failure != nil }
        try world.test.on { #expect(world.apps.identities.isEmpty) }
        try world.end()
    }

    @Test func `lets in a client of a federated trust domain`() throws {
        let world = try TunnelWorld(client: Certificates.stranger, serverTrustsAbroad: true)
        _ = try world.accepted(world.open(world.key(from: Certificates.stranger)))
        try world.test.on { #expect(world.apps.identities == [Certificates.stranger.identity]) }
        try world.end()
    }

    @Test func `says that the dialling side has no certificate yet`() throws {
        let world = try TunnelWorld(client: nil)
        let client = try world.open()
        try world.wait(for: .lost(.certificateUnavailable), on: client.carrier)
        try world.end()
    }

    @Test func `says that the accepting side has no certificate yet`() throws {
        let world = try TunnelWorld()
        try world.test.on { world.serverIdentities.remove(Certificates.server.identity) }
        let client = try world.open()
        try world.test.wait(for: "the failure") { !world.apps.failures.isEmpty }
        try world.test.on { #expect(world.apps.failures.map(\.reason) == [.certificateUnavailable]) }
        try world.test.wait(for: "the client to know") { client.carrier.failure != nil }
        try world.end()
    }

    @Test func `names the port and NetworkPolicy if nobody listens`() throws {
        let world = try TunnelWorld()
        let nobody = (try PlainListener()).address
        let key = PoolKey(
            source: Certificates.client.identity, accepted: [Certificates.server.identity], sourceIP: ip("127.0.0.1"),
            destination: TunnelAddress(nobody))
        let client = try world.open(key)
        try world.wait(for: .lost(.upstreamRefused), on: client.carrier)
        try world.test.on {
            #expect(client.carrier.failure?.mayRetryElsewhere == true)
            #expect(client.carrier.failure?.detail.contains("15008") == true)
            #expect(client.carrier.failure?.detail.contains("NetworkPolicy") == true)
        }
        try world.end()
    }

    @Test(arguments: ["\u{16}\u{3}garbage that is no record\u{0}\u{1}", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"])
    func `ends what is no TLS and says so`(text: String) throws {
        let world = try TunnelWorld()
        let peer = try PlainSocket(connectedTo: world.address)
        peer.send(Array(text.utf8))
        peer.finish()
        _ = peer.receiveAll()
        try world.test.wait(for: "the failure") { !world.apps.failures.isEmpty }
        try world.test.on {
            #expect(world.apps.failures.map(\.reason) == [.peerNotMTLS])
            #expect(world.acceptor.count == 0)
        }
        try world.end()
    }

    @Test(arguments: [["-tls1_2", "-alpn", "h2"], ["-alpn", "h2"], ["-alpn", "http/1.1"], []])
    func `ends what is not the mesh's TLS and says so`(arguments: [String]) throws {
        let world = try TunnelWorld()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl", "s_client", "-connect", "\(world.address)"] + arguments
        process.standardInput = Pipe()
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        try world.test.wait(for: "the failure") { !world.apps.failures.isEmpty }
        try world.test.on {
            #expect(world.apps.failures.map(\.reason) == [.peerNotMTLS])
            #expect(world.acceptor.count == 0)
        }
        process.terminate()
        process.waitUntilExit()
        try world.end()
    }

    @Test func `leaves no trace if the socket cannot be watched`() throws {
        let world = try TunnelWorld()
        try world.test.on {
            // epoll does not take a regular file.
            let file = Descriptor(owning: open("/proc/self/exe", O_RDONLY))
            let failure = world.acceptor.accept(
                TCPSocket(file), as: Certificates.server.identity,
                AcceptedTunnel(
                    workload: WorkloadUID("server"), client: ClientAddress(world.address),
                    localAddress: world.address.ip
                ))
            #expect(failure?.reason == .internal)
            #expect(world.acceptor.count == 0)
        }
        try world.end()
    }
}
