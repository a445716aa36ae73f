internal import Kernel
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Synchronization

/// The status line of an answer.
typealias AdminStatus = HTTPResponseStatus

/// What an HTTP endpoint answers.
struct AdminResponse: Sendable {
    var status: HTTPResponseStatus
    var contentType: String
    var body: [UInt8]

    static func text(_ status: HTTPResponseStatus, _ text: String) -> AdminResponse {
        AdminResponse(status: status, contentType: "text/plain; charset=utf-8", body: Array((text + "\n").utf8))
    }
}

/// The worker's HTTP endpoints: the admin socket, metrics, and readiness, each on a listener that the keeper opened and
/// holds. Reading only: nothing here changes state.
struct AdminServer {
    /// Answers a GET of a path: calls the completion once, from any thread.
    typealias Responder = @Sendable (_ path: String, _ complete: @escaping @Sendable (AdminResponse) -> Void) -> Void
    /// The same with the query.
    typealias TargetResponder =
        @Sendable (_ target: AdminTarget, _ complete: @escaping @Sendable (AdminResponse) -> Void) -> Void

    private let group: MultiThreadedEventLoopGroup
    private let doors = AdminDoors()

    init() {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    }

    /// Accepts no more: another process has the listeners, too, and who comes from now on is served there. They are closed
    /// here and not shut down. A connection that is open ends with its next answer. May be called from any thread.
    func close() { doors.close() }

    /// Serves `responder` on `listener`, a nonblocking listening socket that the server owns from now on.
    func serve(_ listener: consuming Descriptor, _ responder: @escaping Responder) throws {
        try serve(listener) { (target: AdminTarget, complete: @escaping @Sendable (AdminResponse) -> Void) in
            responder(target.path, complete)
        }
    }

    /// The same for a responder that reads queries.
    func serve(_ listener: consuming Descriptor, _ responder: @escaping TargetResponder) throws {
        let channel = try ServerBootstrap(group: group)
            .childChannelInitializer { [doors] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(AdminHandler(responder, doors))
                }
            }
            .withBoundSocket(listener.release())
            .wait()
        doors.opened(channel)
    }
}

/// The listeners of a server, until they are closed.
private final class AdminDoors: Sendable {
    private struct State {
        var channels: [any Channel] = []
        var isClosed = false
    }

    private let state = Mutex(State())

    var isClosed: Bool { state.withLock { $0.isClosed } }

    func opened(_ channel: any Channel) {
        let isLate = state.withLock { state in
            if !state.isClosed { state.channels.append(channel) }
            return state.isClosed
        }
        if isLate { channel.close(promise: nil) }
    }

    func close() {
        let channels = state.withLock { state in
            state.isClosed = true
            defer { state.channels = [] }
            return state.channels
        }
        for channel in channels { channel.close(promise: nil) }
    }
}

/// Answers one request after the other on a connection.
private final class AdminHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let responder: AdminServer.TargetResponder
    private let doors: AdminDoors
    private var request: HTTPRequestHead?

    init(_ responder: @escaping AdminServer.TargetResponder, _ doors: AdminDoors) {
        self.responder = responder
        self.doors = doors
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): request = head
        case .body: break
        case .end:
            guard let request else { return }
            self.request = nil
            answer(request, context)
        }
    }

    private func answer(_ request: HTTPRequestHead, _ context: ChannelHandlerContext) {
        guard request.method == .GET || request.method == .HEAD else {
            return write(.text(.methodNotAllowed, "only GET"), for: request, context)
        }
        let promise = context.eventLoop.makePromise(of: AdminResponse.self)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        promise.futureResult.whenSuccess { response in
            let (handler, context) = bound.value
            handler.write(response, for: request, context)
        }
        var target = AdminTarget(request.uri)
        let accepted = request.headers["accept"]
        if !accepted.isEmpty { target.accept = accepted.joined(separator: ", ") }
        responder(target) { promise.succeed($0) }
    }

    private func write(_ response: AdminResponse, for request: HTTPRequestHead, _ context: ChannelHandlerContext) {
        var head = HTTPResponseHead(version: request.version, status: response.status)
        head.headers.add(name: "content-type", value: response.contentType)
        head.headers.add(name: "content-length", value: String(response.body.count))
        let isLast = !request.isKeepAlive || doors.isClosed
        if isLast { head.headers.add(name: "connection", value: "close") }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if request.method == .GET {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: response.body)))), promise: nil)
        }
        let written = context.writeAndFlush(wrapOutboundOut(.end(nil)))
        if isLast {
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            written.whenComplete { _ in bound.value.close(promise: nil) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
