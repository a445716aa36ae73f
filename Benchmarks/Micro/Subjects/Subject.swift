/// One thing that is measured: the timed and the counted run call the same code.
package struct Subject: Sendable {
    /// Lower case, with `-`: what `hack/microbench.sh` calls it, and thresholds are filed under.
    package let name: String
    /// What one iteration does, in a few words.
    package let summary: String
    /// How many iterations are counted; enough that growth of collections is spread evenly.
    package let iterations: Int
    /// Makes what is needed and returns what runs so many iterations.
    package let prepare: @Sendable () throws -> (Int) throws -> Void

    /// All subjects, in the order in which they are printed.
    package static let all: [Subject] =
        routing + authorization + [connectRoundTrip, sealedRoundTrip] + metrics + [snapshotChange]
}

/// Keeps `value` from being optimised away.
@inline(never)
func use<Value: ~Copyable>(_ value: borrowing Value) {}
