/// How much of something may happen: a stock that refills with time.
package struct TokenBucket: Hashable, Sendable {
    private let burst: Double
    private let perSecond: Double
    private var stock: Double
    private var updatedAt: ContinuousClock.Instant?

    /// - Parameters:
    ///   - burst: the stock at the beginning, and the most there can be.
    ///   - perSecond: how much it refills in a second.
    package init(burst: Double, perSecond: Double) {
        self.burst = max(0, burst)
        self.perSecond = max(0, perSecond)
        stock = max(0, burst)
    }

    /// Takes `amount` if there is that much.
    package mutating func take(_ amount: Double = 1, at now: ContinuousClock.Instant) -> Bool {
        refill(at: now)
        guard stock >= amount else { return false }
        stock -= amount
        return true
    }

    /// There is as much as there can be.
    package mutating func isFull(at now: ContinuousClock.Instant) -> Bool {
        refill(at: now)
        return stock >= burst
    }

    /// Adds `amount`, up to the burst.
    package mutating func earn(_ amount: Double) {
        stock = min(burst, stock + max(0, amount))
    }

    /// When `amount` can be taken; nil if never.
    package mutating func availability(of amount: Double = 1, at now: ContinuousClock.Instant) -> ContinuousClock
        .Instant?
    {
        refill(at: now)
        guard stock < amount else { return now }
        guard perSecond > 0, amount <= burst else { return nil }
        // Rounded up by hand: the library call would need the C mathematics library.
        return now.advanced(by: .milliseconds(Int64((amount - stock) / perSecond * 1000) + 1))
    }

    private mutating func refill(at now: ContinuousClock.Instant) {
        guard let last = updatedAt else {
            updatedAt = now
            return
        }
        guard now > last else { return }
        updatedAt = now
        let passed = (now - last).components
        earn((Double(passed.seconds) + Double(passed.attoseconds) * 1e-18) * perSecond)
    }
}
