internal import Kernel

/// What a load has to tell: one line of JSON.
struct Report {
    private var fields: [(name: String, value: String)] = []

    init(_ work: String, since begin: ContinuousClock.Instant) {
        let (seconds, attoseconds) = (ContinuousClock.now - begin).components
        add("work", work)
        fields.append(("seconds", "\(Double(seconds) + Double(attoseconds) / 1e18)"))
    }

    mutating func add(_ name: String, _ value: Int) { fields.append((name, "\(value)")) }

    mutating func add(_ name: String, _ value: String?) {
        guard let value else { return }
        let text = value.filter { $0 != "\"" && $0 != "\\" && !$0.isNewline }
        fields.append((name, "\"\(text)\""))
    }

    mutating func add(_ latencies: Latencies) {
        add("p50_ns", latencies.quantile(0.5))
        add("p99_ns", latencies.quantile(0.99))
    }

    /// What was added as `name`, as JSON.
    func value(of name: String) -> String? { fields.first { $0.name == name }?.value }

    func print() {
        let text = fields.map { "\"\($0.name)\": \($0.value)" }.joined(separator: ", ")
        StandardStream.output.write(Array("{\(text)}\n".utf8))
    }
}

/// How long answers took.
struct Latencies {
    private var nanoseconds: [Int64] = []

    mutating func add(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        nanoseconds.append(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }

    /// The value below which the part `share` of all is, in nanoseconds; 0 if there are none.
    func quantile(_ share: Double) -> Int {
        guard !nanoseconds.isEmpty else { return 0 }
        let index = min(nanoseconds.count - 1, Int(share * Double(nanoseconds.count)))
        return Int(nanoseconds.sorted()[index])
    }
}
