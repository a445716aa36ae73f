internal import Bytes
internal import HTTP
internal import Kernel
internal import TLS
internal import Tunnel

extension TunnelLink {
    /// Reads from `source` into frames of `stream`, up to what the windows and the outgoing buffer take.
    func send(_ id: StreamID, from source: StreamSocket, for stream: TunnelStream) -> StreamSendResult {
        if isOver { return .blocked }
        if !isSocketFull {
            let result = sendOnce(id, from: source)
            // No window: the session says when there is. Otherwise the outgoing buffer was full in mid-batch: seal
            // what is in it and try once more.
            guard result == .blocked, lacksOnlyRoom(id) else { return result }
            flush()
            if !isOver, !isSocketFull {
                let result = sendOnce(id, from: source)
                guard result == .blocked, lacksOnlyRoom(id) else { return result }
            }
        }
        waitForRoom(stream)
        return .blocked
    }

    /// Sends what the windows and the outgoing buffer take of `bytes`.
    func send(_ id: StreamID, _ bytes: RawSpan, for stream: TunnelStream) -> Int {
        guard !isOver else { return 0 }
        var count = 0
        if !isSocketFull {
            do throws(TunnelError) {
                try plaintext.withBuffer { buffer throws(TunnelError) in
                    count = try session.send(id, bytes, into: &buffer)
                }
            } catch {
                fail(error)
            }
            queueFlush()
        }
        if count < bytes.byteCount, isSocketFull || lacksOnlyRoom(id) { waitForRoom(stream) }
        return count
    }

    /// There is window, so the session will not say when to go on.
    func lacksOnlyRoom(_ id: StreamID) -> Bool { !isOver && session.sendableCount(id) > 0 }

    func waitForRoom(_ stream: TunnelStream) {
        guard !stream.isWaitingForRoom, !isOver else { return }
        stream.isWaitingForRoom = true
        blocked.append(stream)
    }

    func wakeWaiting() {
        guard !isSocketFull, !isOver, !blocked.isEmpty else { return }
        let waiting = blocked
        blocked = []
        for stream in waiting { stream.isWaitingForRoom = false }
        for stream in waiting { stream.becameWritable() }
    }

    func sendOnce(_ id: StreamID, from source: StreamSocket) -> StreamSendResult {
        var result = StreamSendResult.blocked
        do throws(TunnelError) {
            try plaintext.withBuffer { buffer throws(TunnelError) in
                _ = unsafe try session.sendInPlace(id, limit: Self.readLimit, into: &buffer) { space in
                    let read = unsafe source.read(into: space)
                    result = StreamSendResult(read)
                    if case .bytes(let count) = read { return count }
                    return 0
                }
            }
        } catch {
            fail(error)
        }
        queueFlush()
        return result
    }

    /// Bytes that one stream may put into a batch at a time: full frames for one block of plaintext. Fewer would cost a
    /// call each, and each tells the application's kernel of room.
    static let readLimit = LoopResources.mostRecords * TunnelSession.maxPayload

    func finish(_ id: StreamID) {
        session.finish(id)
        queueFlush()
    }

    func queueFlush() {
        guard !isFlushQueued, !isOver else { return }
        isFlushQueued = true
        resources.loop.afterBatch(self)
    }

    package func batchEnded() {
        isFlushQueued = false
        flush()
        wakeWaiting()
        closeIfOver()
        // With the first stream the next PING is due sooner, and a reset that has to wait its turn before that.
        if isEstablished, !isOver, session.nextDeadline(at: resources.loop.now) < timerDeadline { scheduleTimer() }
    }

    package func socketDrained(_ socket: StreamSocket, count: Int) {
        guard isSocketFull else { return }
        isSocketFull = false
        session.outputProgressed(at: resources.loop.now)
        flush()
        wakeWaiting()
        // The last bytes of a drained session may have waited for this.
        closeIfOver()
    }

    /// Frames what the session has to say, seals it, and sends, until nothing is left or the socket is full.
    func flush() {
        while !isOver, !isSocketFull {
            let hadOutput = seal()
            guard !isOver else { return }
            isSocketFull = !ciphertext.withBuffer { socket.flush(&$0) }
            guard hadOutput else { return }
        }
    }

    /// Moves output one step on: control frames to the plaintext, plaintext to the ciphertext. False if there was none.
    func seal() -> Bool {
        drainSession()
        guard !isOver, tls.hasPendingOutput || (isEstablished && !plaintext.isEmpty) else { return false }
        do throws(TLSError) {
            try sealOnce()
        } catch {
            fail(error)
        }
        return true
    }

    func drainSession() {
        guard isEstablished, !isDead else { return }
        do throws(TunnelError) {
            try plaintext.withBuffer { buffer throws(TunnelError) in _ = try session.drain(into: &buffer) }
        } catch {
            return fail(error)
        }
        // Sending closes streams, too.
        takeEvents(RawSpan())
    }

    func sealOnce() throws(TLSError) {
        try ciphertext.withBuffer { sealed throws(TLSError) in
            tls.flushPending(into: &sealed)
            guard isEstablished, !plaintext.isEmpty else { return }
            try plaintext.withBuffer { open throws(TLSError) in
                let taken = try open.withReadable { span throws(TLSError) in try tls.seal(span, into: &sealed) }
                open.consume(taken)
            }
        }
    }
}

extension StreamSendResult {
    init(_ result: ReadResult) {
        switch result {
        case .bytes(let count): self = .bytes(count)
        case .wouldBlock: self = .wouldBlock
        case .endOfStream: self = .endOfStream
        case .failed(let code): self = .failed(code)
        }
    }
}
