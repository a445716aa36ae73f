internal import Bytes
internal import Kernel
internal import Transport
internal import XDS

/// One end of the stream between the worker and the controller of a node: whole messages in, whole messages out, in
/// order. Confined to its loop.
final class ChannelConnection: StreamSocketDelegate {
    private let socket: StreamSocket
    private let resources: LoopResources
    private var decoder = FrameDecoder()
    private var onMessage: ((ChannelMessage) -> Void)?
    private var onEnd: ((String) -> Void)?

    init(_ descriptor: consuming Descriptor, resources: LoopResources) {
        self.resources = resources
        socket = StreamSocket(accepted: TCPSocket(descriptor), resources: resources)
    }

    /// Begins to receive. `onEnd` is called once, with the cause, when the other end is gone or talks nonsense; not
    /// after `close`.
    func start(
        onMessage: @escaping (ChannelMessage) -> Void, onEnd: @escaping (String) -> Void
    ) throws(SystemError) {
        self.onMessage = onMessage
        self.onEnd = onEnd
        try socket.start(self)
    }

    /// Sends a message behind those sent before. One that cannot be encoded ends the connection.
    func send(_ message: ChannelMessage) {
        do throws(XDSError) {
            let frame = try FrameCodec.frame(message)
            unsafe socket.send(frame.span.bytes)
        } catch {
            end(error.description)
        }
    }

    func close() {
        onMessage = nil
        onEnd = nil
        socket.close()
    }

    func socketConnected(_ socket: StreamSocket) {}

    func socketDrained(_ socket: StreamSocket, count: Int) {}

    func socketFailed(_ socket: StreamSocket, errorNumber: Int32) {
        end(SystemError.text(of: errorNumber))
    }

    func socketReadable(_ socket: StreamSocket) {
        while socket.mayRead {
            var buffer = resources.makeScratch()
            switch socket.read(into: &buffer) {
            case .bytes:
                decoder.received(buffer.readableBytes())
                deliver()
            case .wouldBlock: return
            case .endOfStream: end("the other end closed the channel")
            case .failed(let code): end(SystemError.text(of: code))
            }
        }
    }

    private func deliver() {
        do throws(XDSError) {
            while let onMessage, let message = try decoder.next() { onMessage(message) }
        } catch {
            end(error.description)
        }
    }

    private func end(_ cause: String) {
        let onEnd = onEnd
        close()
        onEnd?(cause)
    }
}
