internal import Keeper
internal import Kernel

/// A child's end of its channel to the keeper: a `MessageChannel` that speaks only the messages of its direction, and
/// that can be made before those who listen are there.
final class KeeperChannel<Incoming: KeeperMessage, Outgoing: KeeperMessage> {
    private var socket: MessageSocket?
    private let loop: EventLoop
    private var channel: MessageChannel?

    init(_ socket: consuming MessageSocket, loop: EventLoop) {
        self.socket = consume socket
        self.loop = loop
    }

    /// Begins to receive. Called once, on the loop's thread.
    /// - Parameters:
    ///   - onLost: called for a message whose descriptors are lost, as the process has no room for them; false if it
    ///     cannot go on without.
    ///   - onEnd: called once, with the cause, if the keeper is gone or breaks the agreement.
    func start(
        onMessage: @escaping (Incoming, DescriptorList) -> Void, onLost: @escaping (Incoming) -> Bool = { _ in false },
        onEnd: @escaping (String) -> Void
    ) throws(SystemError) {
        guard let socket = socket.take() else { return }
        channel = try MessageChannel(socket, loop: loop) { _, bytes, descriptors throws(KeeperError) in
            onMessage(try Incoming(decoding: bytes, descriptorCount: descriptors.count), descriptors)
        } onLost: { bytes throws(KeeperError) in
            onLost(try Incoming(decodingWithoutDescriptors: bytes))
        } onEnd: { ending in
            switch ending {
            case .closed: onEnd("the keeper is gone")
            case .broken(let reason): onEnd("the keeper breaks the agreement: \(reason)")
            }
        }
    }

    /// Sends a message behind those sent before. Without effect before `start` and after the end.
    ///
    /// - Parameter descriptors: go with it, all of them, and stay the caller's.
    func send(_ message: Outgoing, _ descriptors: DescriptorList? = nil) {
        channel?.send(message, descriptors)
    }
}
