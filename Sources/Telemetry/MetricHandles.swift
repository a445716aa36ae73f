import Synchronization

/// A number that only grows. Held by whoever counts, so that counting is one relaxed addition.
package final class CounterHandle: Sendable {
    private let count = Atomic<UInt64>(0)

    package init() {}

    /// Any thread may call it; the total wraps at 2^64.
    package func increment(by amount: UInt64 = 1) { count.wrappingAdd(amount, ordering: .relaxed) }

    /// The total so far; any thread may read it.
    package var value: UInt64 { count.load(ordering: .relaxed) }
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
