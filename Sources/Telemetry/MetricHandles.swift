import Synchronization

/// A number that only grows. Held by whoever counts, so that counting is one relaxed addition.
package final class CounterHandle: Sendable {
    private let count = Atomic<UInt64>(0)

    package init() {}

    /// Any thread may call it; the total wraps at 2^64.
    package func increment(by amount: UInt64 = 1) { count.wrappingAdd(amount, ordering: .relaxed) }

    /// The total so far; any thread may read it.
    package var value: UInt64 { count.load(ordering: .relaxed) }

    func reset() { count.store(0, ordering: .relaxed) }
}

/// A number that goes up and down.
package final class GaugeHandle: Sendable {
    private let bits = Atomic<UInt64>(0)

    package init() {}

    /// Replaces the value; any thread may call it.
    package func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    /// Adds `amount`, which may be negative; any thread may call it.
    package func add(_ amount: Double) {
        var current = bits.load(ordering: .relaxed)
        while true {
            let next = (Double(bitPattern: current) + amount).bitPattern
            let (exchanged, original) = bits.weakCompareExchange(expected: current, desired: next, ordering: .relaxed)
            if exchanged { return }
            current = original
        }
    }

    /// The value as it was set or added up last.
    package var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

/// How many values were observed and what they add up to.
package final class SummaryHandle: Sendable {
    private let observations = CounterHandle()
    private let total = GaugeHandle()

    package init() {}

    /// Counts one observation of `value`; any thread may call it.
    package func observe(_ value: Double) {
        observations.increment()
        total.add(value)
    }

    /// Observations so far.
    package var count: UInt64 { observations.value }
    /// The observed values added up; read apart from `count`, so the two may be one observation apart.
    package var sum: Double { total.value }
}
