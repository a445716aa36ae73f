internal import HTTP
internal import Kernel
internal import Tunnel

extension TunnelLink {
    func stream(_ token: Int) -> TunnelStream? {
        streams.indices.contains(token) ? streams[token] : nil
    }

    func add(_ stream: TunnelStream) -> Int {
        if let token = freeTokens.popLast() {
            streams[token] = stream
            return token
        }
        streams.append(stream)
        return streams.count - 1
    }

    @discardableResult
    func remove(_ token: Int) -> TunnelStream? {
        guard let stream = stream(token) else { return nil }
        streams[token] = nil
        freeTokens.append(token)
        return stream
    }

    /// Sends a CONNECT for `stream`. Throws if the session takes no more.
    func open(_ stream: TunnelStream, _ request: ConnectRequest) throws(TunnelError) {
        guard !isOver else { throw TunnelError(.cannotOpenStream, "the tunnel is over") }
        let token = add(stream)
        do throws(TunnelError) {
            let id = try session.openStream(request, token: token)
            stream.opened(on: self, as: id, token: token)
            occupiedCount += 1
            queueFlush()
        } catch {
            streams[token] = nil
            freeTokens.append(token)
            throw error
        }
    }

    func accept(_ id: StreamID, token: Int) {
        session.accept(id, token: token)
        queueFlush()
    }

    func refuse(_ id: StreamID, token: Int, status: Int) {
        session.refuse(id, status: status)
        remove(token)
        queueFlush()
    }

    func reset(_ id: StreamID, token: Int) {
        session.reset(id, code: .connectError, at: resources.loop.now)
        remove(token)
        queueFlush()
    }

    func consumed(_ id: StreamID, _ count: Int) {
        session.consume(id, count)
        queueFlush()
    }
}
