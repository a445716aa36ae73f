internal import Bytes
internal import HTTP
package import Kernel
internal import Mesh
internal import TLS
internal import Tunnel

extension TunnelLink {
    package func socketReadable(_ socket: StreamSocket) {
        var share = Self.readsPerTurn
        while socket.mayRead, !isOver {
            guard share > 0 else { return queueTurn() }
            share -= 1
            var received = resources.makeScratch()
            switch socket.read(into: &received) {
            case .bytes: process(&received)
            case .wouldBlock: return
            case .endOfStream: end(lostFailure("the peer closed the connection"))
            case .failed(let code): end(lostFailure(SystemError.text(of: code)))
            }
        }
    }

    package func ready(_ readiness: Readiness) {
        isTurnQueued = false
        socketReadable(socket)
    }

    func queueTurn() {
        guard !isTurnQueued else { return }
        isTurnQueued = true
        resources.loop.nextTurn(self)
    }

    func process(_ received: inout ByteBuffer) {
        var opened = resources.makeScratch()
        while !isOver {
            let progress: TLSProgress
            do throws(TLSError) {
                progress = try received.withReadable { span throws(TLSError) in
                    try tls.process(ciphertext: span, plaintext: &opened)
                }
            } catch {
                return fail(error)
            }
            received.consume(progress.consumed)
            if progress.becameEstablished { established() }
            if !opened.isEmpty, !isOver {
                opened.withReadable { deliver($0) }
                opened.removeAll()
            }
            switch progress.stop {
            case .outputFull: continue
            case .inputUsedUp: return queueFlush()
            case .closedByPeer: return end(lostFailure("the peer closed the tunnel"))
            }
        }
    }

    func established() {
        isEstablished = true
        scheduleTimer()
        owner?.linkEstablished(self)
    }

    func deliver(_ bytes: RawSpan) {
        do throws(TunnelError) {
            try session.receive(bytes, at: resources.loop.now)
            takeEvents(bytes)
        } catch {
            takeEvents(bytes)
            fail(error)
        }
    }

    /// - Parameter bytes: what was given to the session last; payload events point into it.
    func takeEvents(_ bytes: RawSpan) {
        // What handles an event may send, and sending takes events, too. Those that wait may point into the bytes of
        // the outer call, so they are left to it.
        guard !isTakingEvents else { return }
        isTakingEvents = true
        defer { isTakingEvents = false }
        var payload = GatheredPayload()
        swap(&payload, &gathered)
        while !isOver, let event = session.nextEvent(at: resources.loop.now) {
            if case .data(_, let token, let offset, let count) = event {
                if token != payload.token { give(&payload, bytes) }
                payload.add(offset..<(offset + count), of: token)
            } else {
                give(&payload, bytes)
                handle(event, bytes)
            }
        }
        if !isOver { give(&payload, bytes) }
        payload.removeAll()
        swap(&payload, &gathered)
        tellFreePlaces()
    }

    /// The payload of frames that came one behind the other goes out with one call.
    func give(_ payload: inout GatheredPayload, _ bytes: RawSpan) {
        guard !payload.places.isEmpty else { return }
        stream(payload.token)?.received(bytes, at: payload.places.span)
        payload.removeAll()
    }

    /// A place is free when the session has closed the stream, which is later than when its user was done with it:
    /// a reset may have to wait before it goes out.
    func tellFreePlaces() {
        while !isOver, occupiedCount > session.openStreamCount {
            occupiedCount -= 1
            owner?.linkStreamEnded(self)
        }
    }

    func handle(_ event: TunnelEvent, _ bytes: RawSpan) {
        switch event {
        case .connectRequested(let id): requested(id)
        case .connectAccepted(_, let token): stream(token)?.accepted()
        case .connectRefused(_, let token, let status): remove(token)?.refused(status: status)
        case .data: break
        case .finished(_, let token): stream(token)?.finished()
        case .closed(_, let token): remove(token)?.closed()
        case .reset(_, let token, let code, let wasProcessed):
            guard let stream = remove(token) else { return }
            if wasProcessed {
                stream.wasReset()
            } else {
                stream.unprocessed(
                    TunnelFailure(
                        .peerReset, "\(peerText) did not process the stream (\(code))", mayRetryElsewhere: true),
                    isCertain: true)
            }
        case .writable(_, let token): stream(token)?.becameWritable()
        case .draining: owner?.linkDraining(self)
        case .settingsReceived: owner?.linkSettingsChanged(self)
        case .pong: break
        }
    }

    func requested(_ id: StreamID) {
        // Who is not trusted any more is not served on what came before it read the GOAWAY.
        guard cut == nil else { return session.reset(id, code: .refusedStream, at: resources.loop.now) }
        let request = session.request(of: id)
        let stream = TunnelStream(handler: nil)
        let token = add(stream)
        session.setToken(token, of: id)
        stream.opened(on: self, as: id, token: token)
        owner?.link(self, received: request, on: stream)
    }
}
