internal import NIOCore
internal import NIOSSL
internal import Synchronization

/// Bounds what connections may cost that nobody has proved to be a node's: how many there are, and how long each may take
/// for its handshake and first words. Past the bound the oldest of them goes, so that who does not hurry never keeps a node
/// out, which needs milliseconds. And ends connections whose other end vanished: gRPC's server only asks such a peer to go.
///
///     accepted ──TLS and first bytes──> heard ──first call of a node──> proved
///        └─ too slow, or too many: closed ─┘
final class ConnectionGate: Sendable {
    /// The bounds.
    struct Limits: Hashable, Sendable {
        /// Connections at once of which it is not known whose they are.
        var unproved = 1024
        /// From being accepted until the first words after the handshake.
        var greeting = Duration.seconds(10)
        /// Longest silence on any connection. Nodes say something every few seconds, if only PING.
        var silence = Duration.seconds(15)
    }

    fileprivate struct State {
        /// By the order in which they came.
        var unproved: [UInt64: any Channel] = [:]
        /// Numbers of connections by where they come from.
        var numbers: [String: UInt64] = [:]
        var last: UInt64 = 0
        /// All before are gone or proved.
        var oldest: UInt64 = 1
    }

    private let limits: Limits
    private let state = Mutex(State())

    init(_ limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Connections of which it is not known whose they are.
    var unprovedCount: Int { state.withLock { $0.unproved.count } }

    /// A connection was accepted. Called on its event loop.
    func accepted(_ channel: any Channel) -> EventLoopFuture<Void> {
        let name = channel.remoteAddress.map(Self.name) ?? ""
        let (number, surplus) = state.withLock { state in
            state.last += 1
            state.unproved[state.last] = channel
            state.numbers[name] = state.last
            return (state.last, state.takeSurplus(over: limits.unproved))
        }
        surplus?.close(promise: nil)
        channel.closeFuture.whenComplete { _ in self.closed(number, name) }
        return channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            let tls = try pipeline.handler(type: NIOSSLServerHandler.self)
            try pipeline.addHandler(GreetingDeadline(limits.greeting), position: .after(tls))
            // Before TLS, which would wait for the farewell of one that vanished.
            try pipeline.addHandler(SilenceLimit(limits.silence), position: .first)
        }
    }

    /// A node made a call from `address`, as gRPC names it.
    func proved(_ address: String) {
        state.withLock { state in
            if let number = state.numbers[address] { state.unproved[number] = nil }
        }
    }

    private func closed(_ number: UInt64, _ name: String) {
        state.withLock { state in
            state.unproved[number] = nil
            if state.numbers[name] == number { state.numbers[name] = nil }
        }
    }

    /// As gRPC names the peers of calls.
    private static func name(_ address: SocketAddress) -> String {
        let (host, port) = (address.ipAddress ?? "", address.port ?? 0)
        if case .v6 = address { return "ipv6:[\(host)]:\(port)" }
        return "ipv4:\(host):\(port)"
    }
}

extension ConnectionGate.State {
    fileprivate mutating func takeSurplus(over limit: Int) -> (any Channel)? {
        guard unproved.count > limit else { return nil }
        while oldest < last, unproved[oldest] == nil { oldest += 1 }
        return unproved.removeValue(forKey: oldest)
    }
}

/// Closes a connection on which nothing was said in time after the handshake, or whose handshake takes too long.
private final class GreetingDeadline: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let limit: Duration
    private var deadline: Scheduled<Void>?

    init(_ limit: Duration) {
        self.limit = limit
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: TimeAmount(limit)) { channel.close(mode: .all, promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.fireChannelRead(data)
        deadline?.cancel()
        deadline = nil
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}

/// Closes a connection on which nothing came in for too long.
private final class SilenceLimit: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let limit: TimeAmount
    private var lastRead = NIODeadline.now()
    private var look: Scheduled<Void>?

    init(_ limit: Duration) {
        self.limit = TimeAmount(limit)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        watch(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        look?.cancel()
        look = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastRead = .now()
        context.fireChannelRead(data)
    }

    private func watch(_ context: ChannelHandlerContext) {
        look = context.eventLoop.assumeIsolated().scheduleTask(deadline: lastRead + limit) { [weak self] in
            guard let self else { return }
            if NIODeadline.now() < lastRead + limit { watch(context) } else { context.close(promise: nil) }
        }
    }
}
