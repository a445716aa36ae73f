internal import Addressing
internal import Kernel
internal import Transport

/// Told once how a `SocketConnect` came out.
protocol SocketConnectOwner: AnyObject {
    /// The socket is open; its new owner redirects it.
    func connected(_ socket: StreamSocket)
    func connectFailed(errorNumber: Int32)
}

/// One connection from a pod's namespace to an application: takes a socket out of the pod's stock, binds it to the
/// client's address where the application is to see that, and connects.
///
///     waiting for a socket ──> connecting ──> connected
///               └──── refused, timed out, cancelled ────> over
final class SocketConnect: SocketReceiver, StreamSocketDelegate, TimerHandler {
    private let destination: SocketAddress
    private let source: IPAddress?
    /// The application is in the pod whose stock the socket comes from.
    private let isWithinNode: Bool
    /// How long an application may take to accept; and before that, how long a socket may take to come.
    private let timeout: Duration
    private let resources: LoopResources
    private var owner: (any SocketConnectOwner)?
    private var socket: StreamSocket?
    /// Runs while it waits for a socket.
    private var patience: TimerID?

    /// - Parameter source: the address that the application is to see; nil for the pod's own.
    init(
        to destination: SocketAddress, from source: IPAddress?, isWithinNode: Bool, timeout: Duration,
        resources: LoopResources, owner: any SocketConnectOwner
    ) {
        self.isWithinNode = isWithinNode
        self.destination = destination
        self.source = source
        self.timeout = timeout
        self.resources = resources
        self.owner = owner
    }

    func start(with stock: SocketStock) {
        patience = resources.loop.schedule(after: timeout, self)
        stock.take(destination.ip.family, for: self)
    }

    func timerFired(at now: ContinuousClock.Instant) {
        patience = nil
        fail(SystemError.timedOut)
    }

    private func stopWaiting() {
        if let patience { resources.loop.cancel(patience) }
        patience = nil
    }

    /// Nothing is told any more.
    func cancel() {
        stopWaiting()
        owner = nil
        socket?.reset()
        socket = nil
    }

    func socketCame(_ socket: consuming TCPSocket) {
        stopWaiting()
        guard owner != nil else { return }
        if isWithinNode { SocketTuning.applyWithinNode(to: socket) }
        let socket = StreamSocket(unconnected: socket, resources: resources)
        self.socket = socket
        do {
            try socket.start(
                connectingTo: destination, from: source.map { SocketAddress($0, 0) }, timeout: timeout, self)
        } catch {
            socket.close()
            fail(error.code)
        }
    }

    func socketRefused(errorNumber: Int32) {
        fail(errorNumber)
    }

    func socketConnected(_ socket: StreamSocket) {
        let owner = owner
        self.owner = nil
        self.socket = nil
        owner?.connected(socket)
    }

    func socketFailed(_ socket: StreamSocket, errorNumber: Int32) {
        fail(errorNumber)
    }

    func socketReadable(_ socket: StreamSocket) {}

    func socketDrained(_ socket: StreamSocket, count: Int) {}

    private func fail(_ errorNumber: Int32) {
        stopWaiting()
        let owner = owner
        self.owner = nil
        socket = nil
        owner?.connectFailed(errorNumber: errorNumber)
    }
}

extension SocketConnect {
    /// The address that an application in a pod is to see as its client's, or nil for the pod's own: the client's,
    /// except where the reply could not find its way. A pod that calls itself is not spoofed, a loopback
    /// destination has a loopback source, and families must agree.
    static func visibleSource(of client: IPAddress, at destination: IPAddress) -> IPAddress? {
        guard client != destination, client.family == destination.family, !destination.isLoopback, !client.isLoopback
        else { return nil }
        return client
    }
}
