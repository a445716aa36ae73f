/// Which endpoints fail again and again, and for how long each is left out (passive ejection).
///
///     counting --failures reach the threshold--> ejected --time passes--> counting, with one failure to spare
///         \---------------- a success forgets everything ----------------/
package struct EndpointHealth: Sendable {
    /// How many failures in a row eject an endpoint.
    package static let failureThreshold = 5
    /// How long the first ejection lasts; each further one twice as long.
    package static let firstEjection = Duration.seconds(5)
    /// No ejection lasts longer.
    package static let longestEjection = Duration.seconds(300)

    private struct Record: Sendable {
        var failures = 0
        var ejections = 0
        var ejectedUntil: ContinuousClock.Instant?
    }

    /// Only endpoints that failed since their last success.
    private var records: [WorkloadUID: Record] = [:]

    package init() {}

    /// A connection to `endpoint` was refused or timed out.
    package mutating func connectFailed(to endpoint: WorkloadUID, at now: ContinuousClock.Instant) {
        var record = records[endpoint] ?? Record()
        record.failures += 1
        if record.failures >= Self.failureThreshold {
            record.ejectedUntil = now + Self.ejection(number: record.ejections)
            record.ejections += 1
            record.failures = Self.failureThreshold - 1
        }
        records[endpoint] = record
    }

    /// A connection to `endpoint` was accepted.
    package mutating func connectSucceeded(to endpoint: WorkloadUID) {
        records[endpoint] = nil
    }

    /// `endpoint` is gone from the mesh.
    package mutating func endpointRemoved(_ endpoint: WorkloadUID) {
        records[endpoint] = nil
    }

    /// Whether `endpoint` is left out at `now`.
    package func isEjected(_ endpoint: WorkloadUID, at now: ContinuousClock.Instant) -> Bool {
        guard let until = records[endpoint]?.ejectedUntil else { return false }
        return now < until
    }

    private static func ejection(number: Int) -> Duration {
        // Six doublings of 5 s pass 300 s, so the shift stays small.
        min(firstEjection * (1 << min(number, 6)), longestEjection)
    }
}
