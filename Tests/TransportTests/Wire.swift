import Addressing
import DataPlaneTestSupport
import Synchronization

/// Carries the bytes of one connection to `destination` and back, until it is cut: then it takes all that comes and
/// passes nothing on, and neither end hears of it. That is what a peer is like that vanished without FIN.
final class Wire: Sendable {
    private let listener: PlainListener
    private let isCut = Atomic(false)

    init(to destination: SocketAddress) throws {
        listener = try PlainListener()
        let far = try PlainSocket(connectedTo: destination)
        _ = Work { [self] in
            // Nobody came: the test says what it waited for.
            guard let near = try? listener.accept() else { return }
            _ = Work { self.pump(from: far, to: near) }
            pump(from: near, to: far)
        }
    }

    var address: SocketAddress { listener.address }

    func cut() { isCut.store(true, ordering: .relaxed) }

    private func pump(from source: PlainSocket, to sink: PlainSocket) {
        while case .success(let bytes) = source.receiveSome(upTo: 1 << 16) {
            if !isCut.load(ordering: .relaxed) { sink.send(bytes) }
        }
        if !isCut.load(ordering: .relaxed) { sink.finish() }
    }
}
