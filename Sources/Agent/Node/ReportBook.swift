internal import XDS

/// The last report of each node, and when it came.
struct ReportBook {
    private struct Entry {
        var report: NodeReport
        var receivedAt: ContinuousClock.Instant
    }

    private var entries: [String: Entry] = [:]
    private var connected: [String: Int] = [:]

    /// A node that has been silent for this long is not told of any more.
    static let forgottenAfter = Duration.seconds(24 * 3600)
    /// The most nodes that are kept.
    static let most = 10_000

    /// A node's agent opened a session.
    mutating func nodeConnected(_ node: String) {
        connected[node, default: 0] += 1
    }

    mutating func nodeDisconnected(_ node: String) {
        guard let count = connected[node] else { return }
        connected[node] = count > 1 ? count - 1 : nil
    }

    /// - Parameter node: who sent it, by its certificate; what the report itself says of that does not count.
    mutating func received(_ report: NodeReport, from node: String, at now: ContinuousClock.Instant) {
        var report = report
        report.node = node
        guard entries[node] != nil || entries.count < Self.most else { return }
        entries[node] = Entry(report: report, receivedAt: now)
    }

    /// All of them as of now, by name.
    mutating func nodes(at now: ContinuousClock.Instant) -> [MeshReport.Entry] {
        entries = entries.filter { connected[$0.key] != nil || now - $0.value.receivedAt < Self.forgottenAfter }
        return entries.sorted { $0.key < $1.key }.map { node, entry in
            MeshReport.Entry(
                report: entry.report, ageInMilliseconds: (now - entry.receivedAt).wholeMilliseconds,
                isConnected: connected[node] != nil)
        }
    }
}

extension Duration {
    /// Never below zero.
    var wholeMilliseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return UInt64(clamping: seconds) &* 1000 &+ UInt64(clamping: attoseconds / 1_000_000_000_000_000)
    }
}
