internal import Kernel
internal import Synchronization

/// What the loops of one worker carry, so that what one of them accepts goes to the one that carries least.
///
/// The kernel wakes a loop that sleeps, and mostly the same one: of connections that come one by one and stay, one loop
/// would get all and the others none. Safe from any thread.
package final class LoopBalance: Sendable {
    private let seats = Mutex<[LoopSeat]>([])

    package init() {}

    /// Takes in a loop; called once for each, by its `ProxyLoop`.
    func join(_ loop: EventLoop) -> LoopSeat {
        let seat = LoopSeat(loop: loop)
        seats.withLock { $0.append(seat) }
        return seat
    }

    /// Which loop is to serve what `own` has accepted; nil if `own` may.
    func better(than own: LoopSeat, for load: Load) -> LoopSeat? {
        guard let least = seats.withLock({ $0.min { $0.count(load) < $1.count(load) } }) else { return nil }
        return load.isUneven(own.count(load), least.count(load)) ? least : nil
    }

    /// What is counted.
    enum Load: Hashable, Sendable {
        /// Connections of applications.
        case connections
        /// Tunnels that peers opened: each carries many connections for long.
        case tunnels

        /// Whether a loop with `own` of them gives the next one to a loop with `least`.
        ///
        /// To move a connection costs two wake-ups, a few microseconds, so a difference that does not matter stays: many of
        /// those that are short do not move at all. A tunnel is worth it always.
        func isUneven(_ own: Int, _ least: Int) -> Bool {
            switch self {
            case .connections: own > least + 2 + least / 8
            case .tunnels: own > least
            }
        }
    }
}

/// What one loop carries, and the way to it from other loops.
final class LoopSeat: @unchecked Sendable {
    // @unchecked: `proxy` is set before the loop runs, and after that touched on the loop only.
    private let loop: EventLoop
    private weak var proxy: ProxyLoop?
    private let connections = Atomic(0)
    private let tunnels = Atomic(0)

    init(loop: EventLoop) { self.loop = loop }

    /// Tells whose it is.
    func taken(by proxy: ProxyLoop) { self.proxy = proxy }

    /// How many it carries, with those that are on their way to it.
    func count(_ load: LoopBalance.Load) -> Int { counter(load) { $0.load(ordering: .relaxed) } }

    /// So many more, or fewer.
    func add(_ count: Int, _ load: LoopBalance.Load) {
        counter(load) { _ = $0.wrappingAdd(count, ordering: .relaxed) }
    }

    private func counter<Value>(_ load: LoopBalance.Load, _ body: (borrowing Atomic<Int>) -> Value) -> Value {
        switch load {
        case .connections: body(connections)
        case .tunnels: body(tunnels)
        }
    }

    /// Does `work` on the loop; with nil if the data path that was there is gone.
    func post(_ work: @escaping @Sendable (ProxyLoop?) -> Void) {
        loop.post { [self] in work(proxy) }
    }
}

/// Which of a pod's three ports a connection came to.
enum PodPort: Hashable, Sendable {
    /// What the pod's applications open.
    case outbound
    /// What others open to its applications, outside of tunnels.
    case plaintext
    /// Tunnels.
    case hbone

    var load: LoopBalance.Load { self == .hbone ? .tunnels : .connections }
}
