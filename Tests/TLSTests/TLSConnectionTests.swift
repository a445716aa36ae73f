import TLS
import Testing

@Suite struct `A TLS connection` {
    @Test func `is established once on both sides, each knowing the other's chain`() throws {
        let pair = try ConnectionPair()
        pair.carry()
        for end in [pair.client, pair.server] {
            #expect(end.error == nil)
            #expect(end.connection.isEstablished)
            #expect(end.timesEstablished == 1)
            #expect(end.verifier.asked.count == 1)
            #expect(end.connection.cipherSuite == "TLS_AES_128_GCM_SHA256")
        }
        #expect(pair.server.connection.peerChain == Fixtures.first.chain)
        #expect(pair.client.connection.peerChain == Fixtures.second.chain)
    }

    @Test(arguments: [1, 2, 3, 5, 17, 1000])
    func `does not care how its input is cut`(size: Int) throws {
        let pair = try ConnectionPair()
        pair.carry(piecesOf: size)
        let upward = pattern(40_000, seed: 1)
        let downward = pattern(20_001, seed: 2)
        try pair.client.send(upward)
        try pair.server.send(downward)
        pair.client.close()
        pair.carry(piecesOf: size)
        #expect(pair.server.received == upward)
        #expect(pair.client.received == downward)
        #expect(pair.server.peerClosed)
        #expect(!pair.client.peerClosed)
    }

    @Test func `is the same wherever one cut falls`() throws {
        let whole = try ConnectionPair()
        let hello = whole.client.outbox
        for cut in 1..<hello.count {
            let server = try End(Fixtures.second.context(.server))
            server.deliver(hello[..<cut])
            #expect(server.outbox.isEmpty)
            server.deliver(hello[cut...])
            #expect(server.error == nil)
            #expect(!server.outbox.isEmpty)
        }
    }

    @Test(arguments: [1, 7, 100, 16_384, 16_385])
    func `loses nothing when the plaintext buffer is small`(blockSize: Int) throws {
        let pair = try ConnectionPair(blockSize: max(blockSize, 64))
        pair.carry()
        let bytes = pattern(50_000, seed: 3)
        try pair.client.send(bytes)
        pair.carry(piecesOf: 4096)
        #expect(pair.server.received == bytes)
    }

    @Test func `carries 16 MiB both ways`() throws {
        let pair = try ConnectionPair(blockSize: 256 * 1024)
        pair.carry()
        let bytes = pattern(16 << 20, seed: 4)
        try pair.client.send(bytes)
        try pair.server.send(bytes)
        pair.carry(piecesOf: 200_003)
        #expect(pair.server.received == bytes)
        #expect(pair.client.received == bytes)
    }

    @Test func `makes a record of each 16,384 bytes offered`() throws {
        let pair = try ConnectionPair(blockSize: 256 * 1024)
        pair.carry()
        try pair.client.send(pattern(3 * 16_384, seed: 5))
        #expect(pair.client.outbox.count == 3 * (16_384 + TLSConnection.recordOverhead))
    }

    @Test func `still sends after the peer has closed its side`() throws {
        let pair = try ConnectionPair()
        pair.carry()
        pair.client.close()
        pair.carry()
        #expect(pair.server.peerClosed)
        try pair.server.send([1, 2, 3])
        pair.carry()
        #expect(pair.client.received == [1, 2, 3])
        #expect(throws: TLSError.self) { try pair.client.send([1]) }
    }

    @Test func `sends nothing before the handshake is over`() throws {
        let pair = try ConnectionPair()
        #expect(throws: TLSError(.wrongState, "sending before the handshake is over")) { try pair.client.send([1]) }
        pair.carry()
        #expect(pair.client.connection.isEstablished)
    }

    @Test(arguments: [
        (RefusalAlert.badCertificate, UInt8(42)), (.unsupportedCertificate, 43), (.certificateRevoked, 44),
        (.certificateExpired, 45), (.unknownCA, 48),
    ])
    func `ends with the alert of the verifier that refuses`(alert: RefusalAlert, number: UInt8) throws {
        let refusing = try ConnectionPair(server: .refused(alert))
        refusing.carry()
        #expect(refusing.server.error?.code == .peerRefused)
        #expect(!refusing.server.connection.isEstablished)
        // The client finished first (RFC 8446 section 2) and learns it from the alert.
        #expect(refusing.client.error?.code == .peerAlert)
        #expect(refusing.client.error?.alert == number)

        let dialling = try ConnectionPair(client: .refused(alert))
        dialling.carry()
        #expect(dialling.client.error?.code == .peerRefused)
        #expect(!dialling.client.connection.isEstablished)
        #expect(dialling.server.error?.alert == number)
    }

    @Test func `says the same error again after it failed`() throws {
        let pair = try ConnectionPair(server: .refused(.unknownCA))
        pair.carry()
        let error = try #require(pair.server.error)
        #expect(throws: error) { try pair.server.send([1]) }
    }

    @Test func `refuses plaintext`() throws {
        let server = try End(Fixtures.second.context(.server))
        server.deliver(Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        #expect(server.error?.code == .notTLS)
    }

    @Test func `refuses a record that was changed`() throws {
        let pair = try ConnectionPair()
        pair.carry()
        try pair.client.send([1, 2, 3])
        pair.client.outbox[7] ^= 1
        pair.carry()
        #expect(pair.server.error?.code == .badRecord)
        #expect(pair.server.received.isEmpty)
    }

    @Test func `survives every changed byte of the handshake`() throws {
        let whole = try ConnectionPair()
        let hello = whole.client.outbox
        for index in hello.indices {
            for flip: UInt8 in [0x01, 0x80, 0xff] {
                let server = try End(Fixtures.second.context(.server))
                var bytes = hello
                bytes[index] ^= flip
                server.deliver(bytes)
                #expect(!server.connection.isEstablished)
            }
        }
    }

    @Test func `stops a peer that demands answers without end`() throws {
        // A plaintext alert of level warning, over and over, in the middle of the handshake.
        let server = try End(Fixtures.second.context(.server))
        for _ in 0..<100_000 where server.error == nil { server.deliver([21, 3, 3, 0, 2, 1, 90]) }
        #expect(server.error != nil)
    }
}

/// Bytes that repeat late, so that lost or doubled ones show.
func pattern(_ count: Int, seed: UInt64) -> [UInt8] {
    var state = seed &+ 0x9e37_79b9_7f4a_7c15
    return [UInt8](unsafeUninitializedCapacity: count) { place, filled in
        for index in 0..<count {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            place[index] = UInt8(truncatingIfNeeded: state >> 33)
        }
        filled = count
    }
}
