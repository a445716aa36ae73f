import Addressing
import Bytes
import DataPlaneTestSupport
import Glibc
import Kernel
import TestSupport
import Testing

@testable import Transport

/// One `StreamSocket` on a loop and the plain socket at its other end.
private final class SocketPair: @unchecked Sendable {
    // @unchecked: `socket` and `recorder` are touched on the loop only.
    let world: TestLoop
    let resources: LoopResources
    let socket: StreamSocket
    let recorder: SocketRecorder
    let peer: PlainSocket

    init(isReading: Bool = true, smallBuffers: Bool = false) throws {
        let world = try TestLoop()
        let listener = try PlainListener()
        let peer = try PlainSocket(connectedTo: listener.address)
        let accepted = try listener.acceptNonblocking()
        if smallBuffers { peer.narrow(from: accepted) }
        let resources = LoopResources(loop: world.loop)
        let socket = StreamSocket(accepted: TCPSocket(number: accepted), resources: resources)
        let recorder = SocketRecorder(isReading: isReading)
        try world.on { try socket.start(recorder) }
        self.world = world
        self.resources = resources
        self.socket = socket
        self.recorder = recorder
        self.peer = peer
    }
}

@Suite struct `A stream socket` {
    @Test func `tells that a connect was refused`() throws {
        let world = try TestLoop()
        defer { world.end() }
        let address = (try PlainListener()).address
        let recorder = SocketRecorder()
        let resources = LoopResources(loop: world.loop)
        try world.on {
            let socket = StreamSocket(unconnected: try TCPSocket.make(.v4), resources: resources)
            try socket.start(connectingTo: address, from: nil, timeout: .seconds(10), recorder)
        }
        try world.wait(for: "the refusal") { !recorder.failures.isEmpty }
        #expect(recorder.failures == [ECONNREFUSED])
        #expect(!recorder.isConnected)
    }

    @Test func `gives up a connect that takes too long`() throws {
        let world = try TestLoop()
        defer { world.end() }
        // The backlog of a listener that accepts nothing is full at once: further SYNs are dropped.
        let full = try TCPSocket.make(.v4)
        try full.bind(to: socketAddress("127.0.0.1:0"))
        try full.listen(backlog: 0)
        let bound = full.localAddress()
        let address = try #require(bound)
        var others: [Int32] = []
        defer { for raw in others { close(raw) } }
        for _ in 0..<4 {
            let other = try TCPSocket.make(.v4)
            try other.connect(to: address)
            others.append(try other.descriptor.duplicate().release())
        }
        let recorder = SocketRecorder()
        let resources = LoopResources(loop: world.loop)
        try world.on {
            let socket = StreamSocket(unconnected: try TCPSocket.make(.v4), resources: resources)
            try socket.start(connectingTo: address, from: nil, timeout: .milliseconds(50), recorder)
        }
        try world.wait(for: "the timeout") { !recorder.failures.isEmpty || recorder.isConnected }
        #expect(recorder.failures == [SystemError.timedOut])
    }

    @Test func `reads what lies before a FIN, then the FIN`() throws {
        let pair = try SocketPair(isReading: false)
        defer { pair.world.end() }
        pair.peer.send(Array("last words".utf8))
        pair.peer.finish()
        try pair.world.wait(for: "both to arrive") { pair.socket.mayRead }
        try pair.world.on {
            pair.recorder.isReading = true
            pair.recorder.socketReadable(pair.socket)
        }
        try pair.world.wait(for: "the end") { pair.recorder.hasEnded }
        #expect(pair.recorder.received == Array("last words".utf8))
        #expect(pair.recorder.failures.isEmpty)
    }

    @Test func `tells a reset although nobody reads`() throws {
        let pair = try SocketPair(isReading: false)
        defer { pair.world.end() }
        pair.peer.send([1, 2, 3])
        pair.peer.reset()
        try pair.world.wait(for: "the reset") { !pair.recorder.failures.isEmpty }
        #expect(pair.recorder.failures == [ECONNRESET])
        #expect(pair.socket.isClosed)
    }

    @Test func `gives the bytes in front of a reset to a reader`() throws {
        let pair = try SocketPair()
        defer { pair.world.end() }
        // Both are there before the loop looks.
        try pair.world.on {
            pair.peer.send(Array("413 too large".utf8))
            pair.peer.reset()
        }
        try pair.world.wait(for: "the reset") { !pair.recorder.failures.isEmpty }
        #expect(pair.recorder.received == Array("413 too large".utf8))
        #expect(pair.recorder.failures == [ECONNRESET])
    }

    @Test func `accounts for each byte that had to wait`() throws {
        let pair = try SocketPair(smallBuffers: true)
        defer { pair.world.end() }
        var pattern = Pattern(seed: 1)
        var now = 0
        var sent = Digest()
        for _ in 0..<64 {
            let bytes = pattern.next(100_000)
            sent.add(bytes)
            now += try pair.world.on { bytes.send(on: pair.socket) }
        }
        // At one moment: what the peer takes meanwhile goes from one to the other.
        let (waiting, drained) = try pair.world.on { (pair.socket.pendingCount, pair.recorder.drained) }
        #expect(waiting > 0)
        #expect(waiting + now + drained == sent.count)
        try pair.world.on { pair.socket.finish() }
        let result = pair.peer.digestAll()
        #expect(result.end == .finished)
        #expect(result.digest == sent)
        try pair.world.wait(for: "all to be told") { pair.recorder.drained + now == sent.count }
        try pair.world.on {
            #expect(pair.socket.pendingCount == 0)
            #expect(pair.resources.pendingPool.lentCount == 0)
        }
    }

    /// Frames lie apart; what they carry goes out together, and what the peer does not take yet waits in order. More
    /// places than one call takes, empty ones, and more bytes than the peer has room for.
    @Test(arguments: [(1, 5), (3, 0), (200, 1), (65, 7), (16, 16_375), (300, 4096)])
    func `sends from places that lie apart, in order`(count: Int, size: Int) throws {
        let pair = try SocketPair(isReading: false, smallBuffers: true)
        defer { pair.world.end() }
        var bytes: [UInt8] = []
        var places: [Range<Int>] = []
        var wanted: [UInt8] = []
        for number in 0..<count {
            bytes += [UInt8](repeating: 255, count: 9)
            let payload = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: size)
            places.append(bytes.count..<(bytes.count + size))
            bytes += payload
            wanted += payload
        }
        let (all, ranges) = (bytes, places)
        let sent = try pair.world.on { pair.socket.send(all.span.bytes, at: ranges.span) }
        let (waiting, drained) = try pair.world.on { (pair.socket.pendingCount, pair.recorder.drained) }
        #expect(sent + waiting + drained == wanted.count)
        try pair.world.on { pair.socket.finish() }
        let result = pair.peer.receiveAll()
        #expect(result.end == .finished)
        #expect(result.bytes == wanted)
        try pair.world.wait(for: "all to be told") { pair.recorder.drained + sent == wanted.count }
    }

    @Test func `takes nothing more after finish`() throws {
        let pair = try SocketPair()
        defer { pair.world.end() }
        try pair.world.on {
            #expect([1, 2].send(on: pair.socket) == 2)
            pair.socket.finish()
            #expect([3].send(on: pair.socket) == 0)
        }
        let result = pair.peer.receiveAll()
        #expect(result.bytes == [1, 2])
        #expect(result.end == .finished)
    }

    @Test func `tells a broken connection once, however often it is written to`() throws {
        let pair = try SocketPair(isReading: false)
        defer { pair.world.end() }
        try pair.world.on {
            // The loop has not seen the reset yet, the kernel has.
            pair.peer.reset()
            for _ in 0..<10 { _ = [1, 2, 3].send(on: pair.socket) }
            #expect(pair.recorder.failures.isEmpty)
        }
        try pair.world.wait(for: "the failure") { pair.socket.isClosed }
        try pair.world.on {}
        #expect(pair.recorder.failures.count == 1)
    }

    @Test func `resets when it is told to`() throws {
        let pair = try SocketPair()
        defer { pair.world.end() }
        try pair.world.on { pair.socket.reset() }
        #expect(pair.peer.receiveAll().end == .reset)
    }

    @Test func `is freed when it is closed`() throws {
        weak var socket: StreamSocket?
        weak var recorder: SocketRecorder?
        let world = try TestLoop()
        defer { world.end() }
        do {
            let listener = try PlainListener()
            let peer = try PlainSocket(connectedTo: listener.address)
            let accepted = try listener.acceptNonblocking()
            try world.on {
                let made = StreamSocket(
                    accepted: TCPSocket(number: accepted), resources: LoopResources(loop: world.loop))
                let told = SocketRecorder()
                try made.start(told)
                socket = made
                recorder = told
            }
            #expect(socket != nil)
            peer.reset()
            try world.wait(for: "the end") { socket == nil }
        }
        #expect(recorder == nil)
    }
}
