/// What is known about the way to a pod of this node when a connection is about to be opened. Whatever is uncertain is
/// the tunnel's to find out: it asks everything anew, and says why if it fails.
struct SameNodeFacts: Hashable {
    /// The route says that nobody but the two pods has to see the connection.
    var isJoinable = false
    /// This worker leaves what is new to the next one.
    var isDraining = false
    /// Both pods are captured by this loop, and the destination accepts, with the record that the route names.
    var isServed = false
    /// The source has an address of the destination's family, for the application to see.
    var hasSourceAddress = false
    /// The destination's address is in its pod's namespace; nil if nobody has looked.
    var isAddressThere: Bool?

    /// What to do.
    var decision: SameNodeDecision {
        guard isJoinable, !isDraining, isServed, hasSourceAddress else { return .tunnel }
        return switch isAddressThere {
        case true?: .join
        case false?: .tunnel
        case nil: .look
        }
    }
}

/// How a connection between two pods begins.
enum SameNodeDecision: Hashable {
    /// Through a tunnel, as between nodes.
    case tunnel
    /// Look for the address in the destination's namespace, and decide again.
    case look
    /// Join both ends, if their certificates prove them to each other.
    case join
}
