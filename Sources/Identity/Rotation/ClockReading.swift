/// Both clocks at one moment: the time of day, which certificates speak of and which may jump, and a clock that only
/// goes on, by which waiting is measured.
package struct ClockReading: Hashable, Sendable {
    /// The time of day, in seconds since 1970.
    package let secondsSince1970: Int64
    /// Time since any fixed moment; never goes back.
    package let monotonic: Duration

    package init(secondsSince1970: Int64, monotonic: Duration) {
        self.secondsSince1970 = secondsSince1970
        self.monotonic = monotonic
    }
}
