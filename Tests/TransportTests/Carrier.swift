import Bytes
import DataPlaneTestSupport
import Glibc
import Identity
import Kernel
import Mesh
import TestSupport
import Testing
import Tunnel

@testable import Transport

/// Carries bytes between a socket and a stream in the plainest way, and notes what it is told.
final class Carrier: StreamSocketDelegate, TunnelStreamHandler {
    enum Event: Hashable {
        case accepted
        case refused(Int)
        case finished
        case reset
        case lost(Reason)
        case socketFailed
    }

    let socket: StreamSocket
    var stream: TunnelStream?
    var events: [Event] = []
    var failure: TunnelFailure?
    var receivedCount = 0
    /// The stream is read from its socket, and what it brings is given credit.
    var isReading = true
    /// The stream takes no more from the socket now.
    var isBlocked = false
    /// Called when the stream was lost.
    var onLost: () -> Void = {}
    /// Kept open for as long as the carrier.
    var app: PlainSocket?
    /// It is the accepting side's: there is no answer to wait for.
    var isServing = false
    private var hasSocketEnded = false
    private var hasStreamEnded = false

    init(_ socket: StreamSocket) { self.socket = socket }

    func attachEarly(_ stream: TunnelStream) {
        self.stream = stream
        stream.attend(self)
    }

    func relay() {
        socket.redirect(to: self)
        stream?.redirect(to: self)
        pump()
    }

    private func pump() {
        guard isReading, let stream else { return }
        while !hasSocketEnded, socket.mayRead {
            switch stream.send(from: socket) {
            case .bytes: continue
            case .wouldBlock: return
            case .blocked:
                isBlocked = true
                return
            case .endOfStream:
                hasSocketEnded = true
                stream.finish()
                endIfDone()
            case .failed: stream.reset()
            }
        }
    }

    private func endIfDone() {
        guard hasSocketEnded, hasStreamEnded, socket.pendingCount == 0 else { return }
        socket.close()
        stream?.release()
        stream = nil
    }

    func socketConnected(_ socket: StreamSocket) {}
    func socketReadable(_ socket: StreamSocket) { if isServing || events.contains(.accepted) { pump() } }

    func socketFailed(_ socket: StreamSocket, errorNumber: Int32) {
        events.append(.socketFailed)
        stream?.reset()
        stream = nil
    }

    func socketDrained(_ socket: StreamSocket, count: Int) {
        if count > 0 { stream?.consumed(count) }
        endIfDone()
    }

    func streamAccepted() {
        events.append(.accepted)
        relay()
    }

    func streamRefused(status: Int) {
        events.append(.refused(status))
        socket.reset()
        stream = nil
    }

    func streamReceived(_ bytes: RawSpan) {
        receivedCount += bytes.byteCount
        let written = socket.send(bytes)
        if written > 0 { stream?.consumed(written) }
    }

    func streamReceived(_ bytes: RawSpan, at places: Span<Range<Int>>) {
        for index in places.indices { receivedCount += places[index].count }
        let written = socket.send(bytes, at: places)
        if written > 0 { stream?.consumed(written) }
    }

    func streamFinished() {
        events.append(.finished)
        hasStreamEnded = true
        socket.finish()
        endIfDone()
    }

    func streamReset() {
        events.append(.reset)
        socket.reset()
        stream = nil
    }

    func streamLost(_ failure: TunnelFailure) {
        events.append(.lost(failure.reason))
        self.failure = failure
        socket.reset()
        stream = nil
        onLost()
    }

    func streamWritable() {
        isBlocked = false
        pump()
    }
}

/// What stands behind the accepting side: decides on each request, and has a socket for each that it takes.
final class Applications: TunnelAcceptor.Delegate {
    enum Answer {
        case accept
        case refuse(Int)
        /// Decide later, by `answer`.
        case wait
    }

    var answer: (ConnectRequest) -> Answer = { _ in .accept }
    /// By the port of the request's authority.
    var sockets: [UInt16: PlainSocket] = [:]
    var carriers: [UInt16: Carrier] = [:]
    var waiting: [UInt16: TunnelStream] = [:]
    var identities: [SPIFFEID?] = []
    var refusals: [RequestRefusal] = []
    var failures: [TunnelFailure] = []
    /// Far applications read little at a time.
    var hasSmallBuffers = false
    private let resources: LoopResources

    init(resources: LoopResources) { self.resources = resources }

    func received(
        _ request: Result<ConnectRequest, RequestRefusal>, on stream: TunnelStream, of tunnel: AcceptedTunnel
    ) {
        identities.append(stream.peerIdentity)
        switch request {
        case .failure(let refusal):
            refusals.append(refusal)
            stream.refuse(status: refusal.status)
        case .success(let request):
            switch answer(request) {
            case .refuse(let status): stream.refuse(status: status)
            case .accept: accept(stream, request.authority.port)
            case .wait:
                waiting[request.authority.port] = stream
                stream.attend(Deaf())
            }
        }
    }

    func tunnelFailed(_ failure: TunnelFailure, of tunnel: AcceptedTunnel) { failures.append(failure) }

    func accept(_ stream: TunnelStream, _ port: UInt16) {
        do {
            let (near, far) = try Self.socketPair(smallBuffers: hasSmallBuffers)
            let socket = StreamSocket(
                accepted: TCPSocket(number: near), resources: resources)
            let carrier = Carrier(socket)
            carrier.isServing = true
            try socket.start(carrier)
            carrier.attachEarly(stream)
            stream.accept()
            carrier.relay()
            sockets[port] = far
            carriers[port] = carrier
        } catch {
            Issue.record(error)
        }
    }

    /// Two ends of one TCP connection: one for the data plane, one for the application.
    static func socketPair(smallBuffers: Bool = false) throws -> (near: Int32, far: PlainSocket) {
        let listener = try PlainListener()
        let far = try PlainSocket(connectedTo: listener.address)
        let near = try listener.acceptNonblocking()
        if smallBuffers { far.narrow(from: near) }
        return (near, far)
    }
}

/// Waits for a decision and does nothing.
private final class Deaf: TunnelStreamHandler {
    func streamAccepted() {}
    func streamRefused(status: Int) {}
    func streamReceived(_ bytes: RawSpan) {}
    func streamFinished() {}
    func streamReset() {}
    func streamLost(_ failure: TunnelFailure) {}
    func streamWritable() {}
}
