import Kernel
import Testing
import Transport
import XDS

@testable import Agent

@Suite struct `The channel between worker and controller` {
    private let loop: EventLoop
    private let resources: LoopResources
    private let channel: ChannelConnection
    private let far: DescriptorList

    init() throws {
        loop = try EventLoop()
        resources = LoopResources(loop: loop)
        far = try UnixSocket.makePair()
        channel = ChannelConnection(try far.end(0), resources: resources)
    }

    private func makePlainEnd() throws -> PlainEnd { PlainEnd(try far.end(1)) }

    private static func message(_ id: UInt64, length: Int = 10) -> ChannelMessage {
        .certificateResponse(
            CertificateResponse(id: id, outcome: .refused(String(repeating: "x", count: length))))
    }

    @Test func `puts frames together however they are cut`() throws {
        let other = try makePlainEnd()
        let sent = (0..<3).map { Self.message($0) }
        let bytes = try sent.flatMap { try FrameCodec.frame($0) }
        var received: [ChannelMessage] = []
        try channel.start {
            received.append($0)
        } onEnd: {
            Issue.record("it ended: \($0)")
        }
        var next = 0
        try run(
            loop,
            .when(
                "all bytes",
                {
                    // One byte per turn of the loop.
                    guard next < bytes.count else { return true }
                    try? other.write(bytes[next...next])
                    next += 1
                    return false
                }),
            .when("three messages", { received.count == 3 }))
        #expect(received == sent)
    }

    @Test func `takes several frames at once and keeps a part for later`() throws {
        let other = try makePlainEnd()
        let sent = (0..<4).map { Self.message($0) }
        let bytes = try sent.flatMap { try FrameCodec.frame($0) }
        var received: [ChannelMessage] = []
        try channel.start {
            received.append($0)
        } onEnd: {
            Issue.record("it ended: \($0)")
        }
        try other.write(bytes.dropLast(3))
        try run(
            loop,
            .when("three messages", { received.count == 3 }, { try other.write(bytes.suffix(3)) }),
            .when("the fourth", { received.count == 4 }))
        #expect(received == sent)
    }

    @Test func `carries a message that is larger than the socket's buffer`() throws {
        let other = ChannelConnection(try far.end(1), resources: resources)
        let sent = [Self.message(1, length: 4 << 20), Self.message(2)]
        var received: [ChannelMessage] = []
        try channel.start {
            received.append($0)
        } onEnd: {
            Issue.record("it ended: \($0)")
        }
        try other.start {
            Issue.record("got \($0)")
        } onEnd: {
            Issue.record("the other ended: \($0)")
        }
        for message in sent { other.send(message) }
        try run(loop, .when("both", { received.count == 2 }))
        #expect(received == sent)
    }

    @Test func `ends once when the other end is gone, after what it said`() throws {
        let other = try makePlainEnd()
        var events: [String] = []
        try channel.start { _ in
            events.append("message")
        } onEnd: {
            events.append($0)
        }
        try other.write(try FrameCodec.frame(Self.message(1)))
        other.close()
        try run(loop, .when("the end", { events.count == 2 }), .fewTurns())
        channel.send(Self.message(2))
        #expect(events == ["message", "the other end closed the channel"])
    }

    @Test(arguments: [[0xff, 0xff, 0xff, 0xff], [0, 0, 0, 2, 0xff, 0xff], [0, 0, 0, 0]])
    func `ends when the other end talks nonsense`(bytes: [UInt8]) throws {
        let other = try makePlainEnd()
        var ends: [String] = []
        try channel.start {
            Issue.record("took \($0)")
        } onEnd: {
            ends.append($0)
        }
        try other.write(bytes)
        // What comes after is not looked at; writing it fails, because the channel is closed.
        try run(loop, .when("the end", { !ends.isEmpty }, { try? other.write(bytes) }), .fewTurns())
        #expect(ends.count == 1)
        #expect(throws: SystemError.self) { try other.write(bytes) }
    }

    @Test func `says nothing any more after it was closed`() throws {
        let other = try makePlainEnd()
        try channel.start {
            Issue.record("took \($0)")
        } onEnd: {
            Issue.record("it ended: \($0)")
        }
        try other.write(try FrameCodec.frame(Self.message(1)))
        channel.close()
        try run(loop, .fewTurns())
    }
}
