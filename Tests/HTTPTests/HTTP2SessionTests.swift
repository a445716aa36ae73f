import Bytes
import HTTP
import Testing

@Suite struct `An HTTP/2 session` {
    private func drain(_ session: HTTP2Session, blockSize: Int = 1 << 17) throws -> [UInt8] {
        let pool = BufferPool(blockSize: blockSize, keepAtMost: 1)
        var buffer = pool.makeBuffer()
        var result: [UInt8] = []
        var isDone = false
        while !isDone {
            isDone = try session.drain(into: &buffer)
            buffer.withReadable { $0.withUnsafeBytes { result += $0 } }
            buffer.removeAll()
        }
        return result
    }

    private func receive(_ session: HTTP2Session, _ bytes: [UInt8]) throws {
        try session.receive(bytes.span.bytes)
    }

    private func events(_ session: HTTP2Session) -> [HTTP2Event] {
        var result: [HTTP2Event] = []
        while let event = session.nextEvent() { result.append(event) }
        return result
    }

    private func makePair() throws -> (client: HTTP2Session, server: HTTP2Session) {
        let client = try HTTP2Session(role: .client, limits: HTTP2Limits())
        let server = try HTTP2Session(role: .server, limits: HTTP2Limits())
        try receive(server, drain(client))
        try receive(client, drain(server))
        _ = events(client)
        _ = events(server)
        return (client, server)
    }

    private func connect(_ value: String = "x") -> HeaderBlock {
        var block = HeaderBlock()
        block.append(":method", "CONNECT")
        block.append(":authority", "10.0.0.1:80")
        block.append("baggage", value)
        return block
    }

    @Test func `hands its control frames out in pieces of any size`() throws {
        let client = try HTTP2Session(role: .client, limits: HTTP2Limits())
        let whole = try drain(client)
        let other = try HTTP2Session(role: .client, limits: HTTP2Limits())
        #expect(try drain(other, blockSize: 1) == whole)
        #expect(whole.starts(with: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8))
    }

    @Test func `gives a request's fields whole when they come byte by byte`() throws {
        let (client, server) = try makePair()
        let long = String(repeating: "abc", count: 1000)
        _ = client.openStream(connect(long), token: 0)
        var seen: [String] = []
        for byte in try drain(client) {
            let one = [byte]
            try receive(server, one)
            for case .request(let stream) in events(server) {
                seen = server.fields(of: stream).map { "\($0.name)=\($0.value)" }
            }
        }
        #expect(seen == [":method=CONNECT", ":authority=10.0.0.1:80", "baggage=\(long)"])
    }

    @Test func `resets a stream whose fields are too large and goes on`() throws {
        var limits = HTTP2Limits()
        limits.maxHeaderListSize = 1000
        let client = try HTTP2Session(role: .client, limits: HTTP2Limits())
        let server = try HTTP2Session(role: .server, limits: limits)
        let large = try #require(client.openStream(connect(String(repeating: "~", count: 2000)), token: 5))
        let small = try #require(client.openStream(connect(), token: 6))
        try receive(server, drain(client))
        #expect(events(server).filter { if case .request = $0 { true } else { false } }.count == 1)
        try receive(client, drain(server))
        #expect(events(client).contains(.closed(large, token: 5, reset: .enhanceYourCalm)))
        #expect(client.isOpen(small))
        #expect(server.openStreamCount == 1)
    }

    @Test func `ends when fields are far too large`() throws {
        var limits = HTTP2Limits()
        limits.maxHeaderListSize = 150
        let client = try HTTP2Session(role: .client, limits: HTTP2Limits())
        let server = try HTTP2Session(role: .server, limits: limits)
        // Below the soft limit until the last field, which is over the hard one.
        var block = connect()
        block.append("a", String(repeating: "~", count: 1000))
        _ = client.openStream(block, token: 0)
        let bytes = try drain(client)
        #expect(throws: HTTP2Error.self) { try receive(server, bytes) }
        #expect(server.failure?.code == .headerListTooLarge)
        #expect(throws: HTTP2Error.self) { try receive(server, bytes) }
        #expect(try drain(server).suffix(17).prefix(4) == [0, 0, 8, 7])
        #expect(server.isOver)
    }

    @Test func `refuses bytes while events of the last ones are not taken`() throws {
        let (client, server) = try makePair()
        _ = client.openStream(connect(), token: 0)
        try receive(server, drain(client))
        _ = events(server)
        let bytes: [UInt8] = [0, 0, 1, 0, 0, 0, 0, 0, 1, 65]
        try receive(server, bytes)
        #expect(throws: HTTP2Error.self) { try receive(server, bytes) }
        #expect(server.failure?.code == .misuse)
    }

    @Test func `skips padding and says where the payload lies`() throws {
        let (client, server) = try makePair()
        _ = client.openStream(connect(), token: 0)
        try receive(server, drain(client))
        _ = events(server)
        // Four bytes of payload and five of padding, on stream 1.
        let frame: [UInt8] = [0, 0, 10, 0, 8, 0, 0, 0, 1, 5, 1, 2, 3, 4, 0, 0, 0, 0, 0]
        try receive(server, frame)
        guard case .data(_, _, let offset, let count)? = server.nextEvent() else {
            Issue.record("no payload")
            return
        }
        #expect(Array(frame[offset..<(offset + count)]) == [1, 2, 3, 4])
    }

    @Test func `takes the final status for the answer, not an interim one`() throws {
        let (client, server) = try makePair()
        let stream = try #require(client.openStream(connect(), token: 8))
        try receive(server, drain(client))
        _ = events(server)
        // HEADERS with ":status: 103", then ":status: 200" (HPACK literal and index).
        let interim: [UInt8] = [0, 0, 5, 1, 4, 0, 0, 0, 1, 0x08, 3, 49, 48, 51]
        try receive(client, interim)
        #expect(events(client).isEmpty)
        let final: [UInt8] = [0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88]
        try receive(client, final)
        #expect(events(client) == [.response(stream, token: 8, status: 200)])
    }

    @Test func `ignores trailers but for the end they bring`() throws {
        let (client, server) = try makePair()
        let stream = try #require(client.openStream(connect(), token: 8))
        try receive(server, drain(client))
        _ = events(server)
        let answer: [UInt8] = [0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88]
        try receive(client, answer)
        _ = events(client)
        let trailers: [UInt8] = [0, 0, 5, 1, 5, 0, 0, 0, 1, 0x00, 1, 120, 1, 121]
        try receive(client, trailers)
        #expect(events(client) == [.finished(stream, token: 8)])
    }

    @Test func `rejects a connection whose preface is not one`() throws {
        let server = try HTTP2Session(role: .server, limits: HTTP2Limits())
        let bytes = Array("GET / HTTP/1.1\r\n\r\n      ".utf8)
        #expect(throws: HTTP2Error.self) { try receive(server, bytes) }
    }
}
