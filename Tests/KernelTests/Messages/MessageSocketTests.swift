import Glibc
import Kernel
import Testing

@Suite struct MessageSocketTests {
    private func ends() throws -> (MessageSocketBox, MessageSocketBox) {
        let pair = try MessageSocket.makePair()
        guard let near = pair.take(at: 0), let far = pair.take(at: 1) else { throw SystemError("socketpair", EBADF) }
        return (MessageSocketBox(near), MessageSocketBox(far))
    }

    /// Holds a `~Copyable` end in a tuple.
    final class MessageSocketBox {
        let socket: MessageSocket
        init(_ descriptor: consuming Descriptor) { socket = MessageSocket(descriptor) }
    }

    @Test func `a message arrives whole, with descriptors that work and are closed on exec`() throws {
        let (near, far) = try ends()
        var pipeEnds: [Int32] = [-1, -1]
        pipe(&pipeEnds)
        let reader = Descriptor(owning: pipeEnds[0])
        #expect(try near.socket.send([1, 2, 3], descriptors: [pipeEnds[1]]) == .sent)
        close(pipeEnds[1])
        guard case .message(let bytes, let descriptors) = try far.socket.receive() else {
            Issue.record("no message")
            return
        }
        #expect(bytes == [1, 2, 3])
        #expect(descriptors.count == 1)
        do {
            let passed = try #require(descriptors.raw(at: 0))
            #expect(fcntl(passed, F_GETFD) & FD_CLOEXEC != 0)
            try descriptors.take(at: 0)?.writeAll(Array("through".utf8))
        }
        #expect(try reader.readAll(limit: 100) == Array("through".utf8))
    }

    @Test func `messages keep their bounds and their order`() throws {
        let (near, far) = try ends()
        for number in UInt8(0)..<50 {
            #expect(try near.socket.send(Array(repeating: number, count: Int(number) + 1)) == .sent)
        }
        for number in UInt8(0)..<50 {
            guard case .message(let bytes, _) = try far.socket.receive() else {
                Issue.record("no message \(number)")
                return
            }
            #expect(bytes == Array(repeating: number, count: Int(number) + 1))
        }
        guard case .wouldBlock = try far.socket.receive() else {
            Issue.record("one too many")
            return
        }
    }

    @Test func `128 descriptors go in one message, 129 are refused`() throws {
        let (near, far) = try ends()
        #expect(try near.socket.send([0], descriptors: Array(repeating: 0, count: 128)) == .sent)
        guard case .message(_, let descriptors) = try far.socket.receive() else {
            Issue.record("no message")
            return
        }
        #expect(descriptors.rawNumbers.count == 128)
        #expect(throws: SystemError("sendmsg", EMSGSIZE)) {
            try near.socket.send([0], descriptors: Array(repeating: 0, count: 129))
        }
    }

    @Test func `a message over the limit is told as such`() throws {
        let (near, far) = try ends()
        let long = [UInt8](repeating: 7, count: MessageSocket.maxLength + 1)
        #expect(throws: SystemError("sendmsg", EMSGSIZE)) { try near.socket.send(long) }
        #expect(send(near.socket.raw, long, long.count, 0) == long.count)
        guard case .oversized = try far.socket.receive() else {
            Issue.record("it was taken")
            return
        }
    }

    @Test func `a receiver that does not read makes the sender wait`() throws {
        let (near, far) = try ends()
        var count = 0
        while try near.socket.send([UInt8](repeating: 0, count: 4096)) == .sent { count += 1 }
        #expect(count > 10)
        _ = try far.socket.receive()
        #expect(try near.socket.send([1]) == .sent)
    }

    @Test func `a closed end is told to receiver and sender`() throws {
        let pair = try MessageSocket.makePair()
        let end = MessageSocket(pair.take(at: 0)!)
        do { _ = pair.take(at: 1) }
        guard case .closed = try end.receive() else {
            Issue.record("not closed")
            return
        }
        #expect(try end.send([1]) == .closed)
    }

    @Test func `a list closes what was not taken from it, and only that`() throws {
        var pipeEnds: [Int32] = [-1, -1]
        pipe(&pipeEnds)
        var kept: Int32 = -1
        do {
            let list = DescriptorList(owning: pipeEnds)
            kept = list.take(at: 1)!.release()
            let isTaken = list.take(at: 1) == nil
            #expect(isTaken)
            #expect(list.raw(at: 2) == nil)
            #expect(list.rawNumbers == [pipeEnds[0]])
        }
        // The reading end is closed, so the writing end, which is open, has nobody to write to.
        signal(SIGPIPE, SIG_IGN)
        #expect(write(kept, "x", 1) == -1 && errno == EPIPE)
        close(kept)
    }

    @Test func `the peer of a pair is this process`() throws {
        let (near, far) = try ends()
        let peer = try near.socket.peerCredentials()
        #expect(peer.pid == CurrentProcess.pid)
        #expect(peer.uid == getuid())
        #expect(peer.gid == getgid())
        _ = far
    }
}
