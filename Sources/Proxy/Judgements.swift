internal import Mesh
internal import Telemetry

/// A verdict, with what it counts with.
struct Judgement {
    let verdict: Verdict
    let counters: [CounterHandle]
}

/// What the policies said about connections to one pod, for as long as nothing that they were asked about changes: most
/// connections are like one before. Confined to its loop.
struct Judgements {
    private var known: [ConnectionFacts: Judgement] = [:]

    /// Kinds of connections that are remembered. A client that changes its address each time costs no more than without.
    private static let most = 256

    /// What was said of such a connection, or what `judge` says now.
    mutating func judgement(on facts: ConnectionFacts, _ judge: () -> Judgement) -> Judgement {
        if let judgement = known[facts] { return judgement }
        if known.count >= Self.most { known.removeAll(keepingCapacity: true) }
        let judgement = judge()
        known[facts] = judgement
        return judgement
    }

    /// Kinds that are remembered, for tests.
    var count: Int { known.count }

    /// The mesh's state has changed.
    mutating func forget() {
        if !known.isEmpty { known = [:] }
    }
}
