internal import Synchronization
internal import X509

/// The streams that are open: of each kind one per node.
final class StreamTable: Sendable {
    private struct Slot: Hashable {
        var node: String
        var kind: StreamKind
    }

    private struct State {
        var streams: [Slot: NodeStream] = [:]
        var lastID: UInt64 = 0
    }

    private let limits: StreamLimits
    private let state = Mutex(State())

    init(_ limits: StreamLimits) {
        self.limits = limits
    }

    /// Enters a new stream, in place of the one that the node had.
    /// - Returns: the new stream, and the old one, which is being closed.
    func open(node: String, kind: StreamKind, address: String, chain: [Certificate]) -> (NodeStream, old: NodeStream?) {
        let (stream, old) = state.withLock { state in
            state.lastID += 1
            let stream = NodeStream(
                id: state.lastID, node: node, kind: kind, address: address, chain: chain, limits: limits)
            return (stream, state.streams.updateValue(stream, forKey: Slot(node: node, kind: kind)))
        }
        old?.displace(byStreamFrom: address)
        return (stream, old)
    }

    /// Takes a stream out, unless another took its place.
    func closed(_ stream: NodeStream) {
        state.withLock { state in
            let slot = Slot(node: stream.node, kind: stream.kind)
            if state.streams[slot] === stream { state.streams[slot] = nil }
        }
    }

    var all: [NodeStream] { state.withLock { Array($0.streams.values) } }
}
