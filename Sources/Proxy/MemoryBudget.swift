internal import Kernel
internal import Synchronization

/// How much memory buffers, connections and tunnels of all loops may take. What is counted is what grows with traffic,
/// by the size of the buffers and a measured figure for the rest; the snapshot of the mesh is not part of it. At the
/// limit new work is refused and what runs goes on. Safe from any thread.
package final class MemoryBudget: Sendable {
    let limitInBytes: Int
    private let used = Atomic<Int>(0)

    /// A connection without its buffers: sockets' objects, stream, record, places in maps. Measured: 2.9 KiB.
    static let connectionCost = 4 << 10
    /// One end of a tunnel without its buffers: TLS state and HTTP/2 session. Measured: 48 KiB with OpenSSL 3.0.
    static let tunnelCost = 64 << 10

    init(limitInBytes: Int) { self.limitInBytes = max(1, limitInBytes) }

    /// Three fifths of what this process may have: of its cgroup's limit, or of what the machine has available now.
    package static var standardInBytes: Int { (MemoryLimit.availableInBytes ?? 1 << 30) / 5 * 3 }

    /// What all loops said last.
    var usedInBytes: Int { used.load(ordering: .relaxed) }

    var isSpent: Bool { usedInBytes >= limitInBytes }

    /// For the log: that the limit is reached.
    static func text(of limitInBytes: Int) -> String {
        "the agent's memory for connections is used up (\(limitInBytes >> 20) MiB); new ones are refused until some end"
    }

    fileprivate func add(_ bytes: Int) { used.wrappingAdd(bytes, ordering: .relaxed) }
}

/// One loop's part of what is used. It is told before each decision of that loop and every two seconds, so the sum
/// lags by what the other loops did meanwhile. Confined to its loop.
struct MemoryShare: ~Copyable {
    private let budget: MemoryBudget
    private var told = 0

    init(of budget: MemoryBudget) { self.budget = budget }

    deinit { budget.add(-told) }

    /// This loop uses `bytes` now.
    mutating func uses(_ bytes: Int) {
        budget.add(bytes - told)
        told = bytes
    }
}
