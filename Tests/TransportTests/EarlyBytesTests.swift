import DataPlaneTestSupport
import Mesh
import Testing
import Tunnel

@testable import Transport

@Suite struct `Bytes before the answer` {
    private func bytes(_ count: Int) -> EarlyBytes {
        var early = EarlyBytes()
        let saying = [UInt8](repeating: 7, count: count)
        let span = saying.span
        early.append(span.bytes)
        return early
    }

    @Test func `are sent piece by piece, and all of them again on the next stream`() {
        var early = bytes(10)
        early.sent(early.sending { _ in 4 })
        #expect(!early.isSent)
        early.sent(early.sending { $0.byteCount })
        #expect(early.isSent)
        early.beginAgain()
        #expect(!early.isSent)
        var offered = 0
        early.sent(
            early.sending { span in
                offered = span.byteCount
                return offered
            })
        #expect(offered == 10)
    }

    @Test func `are not counted on a stream that another has taken the place of`() {
        var early = bytes(10)
        let next = early.sending { $0.byteCount }
        early.beginAgain()
        early.sent(next)
        #expect(!early.isSent)
    }

    @Test func `are counted no further than there are any`() {
        var early = bytes(3)
        early.sent(early.sending { _ in 99 })
        #expect(early.isSent)
    }

    @Test func `are kept up to a limit, and none come after the end`() {
        var early = bytes(EarlyBytes.limit - 1)
        #expect(early.room == 1)
        early.ended()
        #expect(early.room == 0)
        #expect(early.hasEnded)
        #expect(!early.isEmpty)
    }
}

/// Sends a few bytes right behind the CONNECT.
private final class Hasty: TunnelStreamHandler {
    var openedCount = 0
    var failure: TunnelFailure?
    var status: Int?
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func streamOpened(_ stream: TunnelStream) {
        openedCount += 1
        guard !bytes.isEmpty else { return }
        let saying = bytes
        let span = saying.span
        let count = stream.send(span.bytes)
        #expect(count == saying.count)
    }

    func streamAccepted() {}
    func streamRefused(status: Int) { self.status = status }
    func streamReceived(_ bytes: RawSpan) {}
    func streamFinished() {}
    func streamReset() {}
    func streamLost(_ failure: TunnelFailure) { self.failure = failure }
    func streamWritable() {}
}

@Suite struct `A stream that was sent on before its answer` {
    private func open(_ world: TunnelWorld, _ hasty: Hasty) throws {
        try world.test.on {
            world.apps.answer = { _ in .wait }
            let request = ConnectRequest(authority: .address(.init(world.address.ip, 80)))
            _ = world.pool.open(world.key(), request, sockets: world.stock, handler: hasty)
        }
        try world.test.wait(for: "the request") { world.apps.waiting[80] != nil }
    }

    @Test func `brings its bytes with the request`() throws {
        let world = try TunnelWorld()
        try open(world, Hasty(Array("first".utf8)))
        try world.test.on {
            guard let stream = world.apps.waiting.removeValue(forKey: 80) else { return }
            world.apps.accept(stream, 80)
        }
        #expect(try world.application().receive(5) == Array("first".utf8))
        try world.end()
    }

    @Test(arguments: [[], [1, 2, 3]] as [[UInt8]])
    func `is not sent again elsewhere if its tunnel vanishes, for somebody may have had it`(bytes: [UInt8]) throws {
        let world = try TunnelWorld()
        let hasty = Hasty(bytes)
        try open(world, hasty)
        try world.test.on {
            world.apps.waiting = [:]
            world.vanish()
        }
        if bytes.isEmpty {
            // Nothing can have been passed on: it asks again.
            try world.test.wait(for: "another tunnel") { hasty.openedCount == 2 }
        } else {
            try world.test.wait(for: "the end") { hasty.failure != nil }
            try world.test.on {
                #expect(hasty.failure?.mayRetryElsewhere == false)
                #expect(hasty.openedCount == 1)
            }
        }
        try world.end()
    }
}
