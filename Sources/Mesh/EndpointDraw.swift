/// The best two of the candidates seen so far, in a weighted draw: each has the chance of its capacity, whatever
/// the order in which they come.
///
/// Every candidate gets a uniform number u in (0, 1) from the seed and its own number; the greatest u^(1/capacity)
/// wins (Efraimidis and Spirakis 2006, weighted random sampling). With a seed made from the client's address this
/// is rendezvous hashing: the winner changes only if it goes or a better one comes.
struct EndpointDraw {
    private let seed: UInt64
    private(set) var first: WorkloadRecord?
    private(set) var second: WorkloadRecord?
    private var firstScore = Score(uniform: 0, weight: 1)
    private var secondScore = Score(uniform: 0, weight: 1)

    init(seed: UInt64) { self.seed = seed }

    /// The same draw without candidates.
    var restarted: EndpointDraw { EndpointDraw(seed: seed) }

    mutating func add(_ candidate: WorkloadRecord) {
        let score = Score(bits: StableHash.mixed(seed ^ candidate.number), weight: candidate.workload.capacity)
        if first == nil || score.beats(firstScore) {
            (second, secondScore) = (first, firstScore)
            (first, firstScore) = (candidate, score)
        } else if second == nil || score.beats(secondScore) {
            (second, secondScore) = (candidate, score)
        }
    }
}

/// u^(1/weight) as far as it must be known to say which of two is greater.
private struct Score {
    let uniform: Double
    let weight: UInt32

    init(uniform: Double, weight: UInt32) {
        self.uniform = uniform
        self.weight = weight
    }

    /// The upper 52 bits become a number strictly between 0 and 1.
    init(bits: UInt64, weight: UInt32) {
        self.init(uniform: (Double(bits >> 12) + 0.5) / 0x1p52, weight: max(1, weight))
    }

    func beats(_ other: Score) -> Bool {
        if weight == other.weight { return uniform > other.uniform }
        return logarithm(uniform) / Double(weight) > logarithm(other.uniform) / Double(other.weight)
    }
}

/// The natural logarithm of a normal positive number, to about 1e-12; the C library's is out of this target's reach.
private func logarithm(_ value: Double) -> Double {
    // value = m * 2^e with m in 1..<2; ln m = 2 artanh((m - 1) / (m + 1)), whose argument is below 1/3.
    let s = (value.significand - 1) / (value.significand + 1)
    let square = s * s
    var (power, sum) = (s, 0.0)
    for odd in stride(from: 1.0, through: 23.0, by: 2.0) {
        sum += power / odd
        power *= square
    }
    return 2 * sum + Double(value.exponent) * 0.693_147_180_559_945_3
}
