import Addressing
import Bytes
import Kernel
import Synchronization
import TestSupport
import Testing

/// Counts what it is told and runs a closure.
private final class Recorder: EventHandler, TimerHandler, BatchFinisher {
    var onReady: (Readiness) -> Void = { _ in }
    var onTimer: () -> Void = {}
    var onBatchEnd: () -> Void = {}

    func ready(_ readiness: Readiness) { onReady(readiness) }
    func timerFired(at now: ContinuousClock.Instant) { onTimer() }
    func batchEnded() { onBatchEnd() }
}

@Suite struct `An event loop` {
    @Test func `fires timers in the order of their deadlines and not the cancelled ones`() throws {
        let loop = try EventLoop()
        var fired: [Int] = []
        func timer(_ number: Int, last: Bool = false) -> Recorder {
            let recorder = Recorder()
            recorder.onTimer = {
                fired.append(number)
                if last { loop.stop() }
            }
            return recorder
        }
        let start = ContinuousClock.now
        loop.schedule(at: start + .milliseconds(3), timer(3, last: true))
        loop.schedule(at: start + .milliseconds(1), timer(1))
        let cancelled = loop.schedule(at: start + .milliseconds(2), timer(2))
        loop.cancel(cancelled)
        loop.cancel(cancelled)
        try loop.run()
        #expect(fired == [1, 3])
    }

    @Test func `survives many cancelled timers`() throws {
        let loop = try EventLoop()
        let recorder = Recorder()
        var count = 0
        recorder.onTimer = {
            count += 1
            if count == 10 { loop.stop() }
        }
        for index in 0..<1000 {
            let timer = loop.schedule(after: .microseconds(index), recorder)
            if index % 100 != 0 { loop.cancel(timer) }
        }
        try loop.run()
        #expect(count == 10)
    }

    @Test func `runs work that other threads post`() throws {
        let loop = try EventLoop()
        let other = try EventLoop()
        let count = Mutex(0)
        other.post {
            for _ in 0..<1000 {
                loop.post { count.withLock { $0 += 1 } }
            }
            loop.post { loop.stop() }
            other.stop()
        }
        let runner = LoopThread(name: "other") { try? other.run() }
        try runner.start()
        try loop.run()
        runner.join()
        #expect(count.withLock { $0 } == 1000)
    }

    @Test func `calls a batch finisher once, after the batch`() throws {
        let loop = try EventLoop()
        let recorder = Recorder()
        var order: [String] = []
        recorder.onTimer = {
            order.append("timer")
            loop.afterBatch(recorder)
        }
        recorder.onBatchEnd = {
            order.append("end")
            loop.stop()
        }
        loop.schedule(after: .zero, recorder)
        loop.schedule(after: .zero, recorder)
        try loop.run()
        #expect(order == ["timer", "timer", "end", "end"])
    }

    @Test func `does not sleep while a handler has more to do`() throws {
        let loop = try EventLoop()
        let recorder = Recorder()
        var turns = 0
        recorder.onReady = { _ in
            turns += 1
            if turns == 5 { loop.stop() } else { loop.nextTurn(recorder) }
        }
        loop.nextTurn(recorder)
        try loop.run()
        #expect(turns == 5)
    }

    @Test func `ignores events of a registration that was withdrawn in the same batch`() throws {
        let loop = try EventLoop()
        let listener = try TCPSocket.make(.v4)
        try listener.bind(to: socketAddress("127.0.0.1:0"))
        try listener.listen(backlog: 8)
        let boundaddress = listener.localAddress()
        let address = try #require(boundaddress)
        let client = try TCPSocket.make(.v4)
        try client.connect(to: address)
        let first = Recorder()
        let second = Recorder()
        var told = 0
        var registrations: [EventLoop.Registration] = []
        for recorder in [first, second] {
            recorder.onReady = { _ in
                told += 1
                for registration in registrations { loop.unregister(registration) }
                loop.stop()
            }
        }
        registrations.append(try loop.register(listener.raw, .level, handler: first))
        registrations.append(try loop.register(client.raw, .edge, handler: second))
        try loop.run()
        #expect(told == 1)
    }
}

@Suite struct `A TCP socket` {
    private func pair() throws -> TCPPair {
        let listener = try TCPSocket.make(.v6)
        try listener.setV6Only(false)
        try listener.bind(to: socketAddress("[::]:0"))
        try listener.listen(backlog: 8)
        let boundport = listener.localAddress()
        let port = try #require(boundport).port
        let client = try TCPSocket.make(.v4)
        try client.connect(to: SocketAddress(ip("127.0.0.1"), port))
        while true {
            switch listener.accept() {
            case .accepted(let server, let address):
                #expect(address.ip == ip("127.0.0.1"))
                return TCPPair(client: client, server: server)
            case .wouldBlock: continue
            default: Issue.record("accept failed")
            }
        }
    }

    @Test func `carries bytes and then says that the peer ended`() throws {
        let pair = try pair()
        let pool = BufferPool(blockSize: 64, keepAtMost: 1)
        let sent: [UInt8] = Array("hello".utf8)
        let written = pair.client.write(sent.span.bytes)
        #expect(written == .bytes(5))
        pair.client.shutdownWrite()
        var buffer = pool.makeBuffer()
        var results: [ReadResult] = []
        while results.last != .endOfStream {
            let result = pair.server.read(into: &buffer)
            if result != .wouldBlock { results.append(result) }
        }
        #expect(results == [.bytes(5), .endOfStream])
        let received = buffer.withReadable { $0.withUnsafeBytes { Array($0) } }
        #expect(received == sent)
    }

    @Test func `tells a reset from an end`() throws {
        let pair = try pair()
        let pool = BufferPool(blockSize: 64, keepAtMost: 1)
        pair.client.setResetOnClose()
        let server = pair.closeClient()
        var buffer = pool.makeBuffer()
        var result = server.read(into: &buffer)
        while result == .wouldBlock { result = server.read(into: &buffer) }
        #expect(result == .failed(SystemError.connectionReset))
    }

    @Test func `of nobody is refused`() throws {
        let unused = try TCPSocket.make(.v4)
        try unused.bind(to: socketAddress("127.0.0.1:0"))
        let boundaddress = unused.localAddress()
        let address = try #require(boundaddress)
        let client = try TCPSocket.make(.v4)
        var code: Int32 = 0
        do {
            try client.connect(to: address)
            while code == 0 { code = client.connectError() }
        } catch {
            code = error.code
        }
        #expect(SystemError("connect", code).isConnectionRefused)
    }
}

private struct TCPPair: ~Copyable {
    let client: TCPSocket
    let server: TCPSocket

    consuming func closeClient() -> TCPSocket { server }
}
