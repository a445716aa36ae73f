internal import Tunnel

/// One connection that wants a stream, from when it asks until the peer has answered.
final class TunnelWaiter {
    let key: PoolKey
    let request: ConnectRequest
    let stream: TunnelStream
    let sockets: SocketStock
    private weak var pool: TunnelPool?
    /// Its number in the pool; another one each time that it asks.
    var number = 0
    /// The session that it got a place in last.
    var session: SessionID?
    /// Sessions that it met and that were of no use.
    private var missCount = 0

    init(key: PoolKey, request: ConnectRequest, stream: TunnelStream, sockets: SocketStock, pool: TunnelPool) {
        self.key = key
        self.request = request
        self.stream = stream
        self.sockets = sockets
        self.pool = pool
    }

    /// Sessions that one stream may meet and find of no use before it fails.
    private static let mostMisses = 3

    /// The stream is given up before it has a tunnel.
    func abandoned() { pool?.abandoned(self) }

    /// The peer went, or said that it goes, before it looked at the stream: another session is as good, and nothing of
    /// the connection was lost. False if that has happened too often.
    func missed() -> Bool {
        guard missCount < Self.mostMisses, let pool else { return false }
        missCount += 1
        pool.missed(self)
        return true
    }
}
