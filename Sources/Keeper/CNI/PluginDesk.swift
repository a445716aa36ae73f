internal import CNI
internal import Kernel

/// Where the calls of the CNI plugin arrive, and what is remembered of them. Confined to the keeper's loop.
final class PluginDesk {
    private var acceptor: UnixAcceptor?
    private var connections: [ObjectIdentifier: PluginConnection] = [:]

    /// What the runtime has attached and not detached.
    var attachments = AttachmentTable()
    /// What the controller was asked and has not answered.
    var questions: [UInt64: PodQuestion] = [:]
    private var lastQuestion: UInt64 = 0
    /// Calls that were answered, and those of them that were refused.
    private(set) var callCount: UInt64 = 0
    private(set) var refusalCount: UInt64 = 0

    /// Calls at a time; a runtime makes a few. Those beyond find nobody, and are told to try again.
    private static let mostConnections = 64

    /// Serves `listener`, which stays the caller's, until `close`.
    func open(
        _ listener: Int32, loop: EventLoop, onInvocation: @escaping (PluginConnection, PluginInvocation) -> Void
    ) throws(SystemError) {
        acceptor = try UnixAcceptor(listener, loop: loop) { [unowned self] descriptor in
            accept(descriptor, loop, onInvocation)
        }
    }

    private func accept(
        _ descriptor: consuming Descriptor, _ loop: EventLoop,
        _ onInvocation: @escaping (PluginConnection, PluginInvocation) -> Void
    ) {
        // The file's mode keeps others out; whoever was handed the socket is refused here.
        guard connections.count < Self.mostConnections, (try? descriptor.peerCredentials().uid) == 0 else { return }
        let connection = try? PluginConnection(descriptor, loop: loop, onInvocation: onInvocation) {
            [unowned self] in connections[ObjectIdentifier($0)] = nil
        }
        if let connection { connections[ObjectIdentifier(connection)] = connection }
    }

    /// Takes no further calls, and ends those that wait.
    func close() {
        acceptor?.close()
        acceptor = nil
        questions = [:]
        for connection in connections.values { connection.close() }
    }

    func makeQuestionID() -> UInt64 {
        lastQuestion += 1
        return lastQuestion
    }

    func noteAnswer(isRefusal: Bool) {
        callCount &+= 1
        if isRefusal { refusalCount &+= 1 }
    }
}
