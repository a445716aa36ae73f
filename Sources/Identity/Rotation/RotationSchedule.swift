/// When one identity's certificate is asked for.
///
///     due --asked()--> requesting --issued()--> holding (due again at half of the lifetime)
///      ^                   |
///      |          failed() or no answer in time
///      +------- back-off --+
///
/// What is held stays in use until it expires; then `timeReached` says so once. Validity is a matter of the time of
/// day, waiting one of the monotonic clock, and renewal is due when either says so: a clock that is set wrong or a
/// machine that slept can neither stop the renewal nor make it run in circles. Randomness is an argument.
package struct RotationSchedule: ~Copyable {
    /// A certificate's validity.
    private struct Held {
        /// Last second, since 1970.
        let notAfter: Int64
        /// When it is to be renewed by the time of day, in seconds since 1970.
        let renewal: Int64
        /// When it ends by the monotonic clock, if the time of day was right when it came.
        let end: Duration
        /// The time of day is not past its end.
        var isUsable = true
    }

    private enum State {
        case due(at: Duration, failures: Int)
        case requesting(since: Duration, failures: Int)
    }

    /// What `timeReached` found; call again until it is `nothing`.
    package enum Step: Hashable, Sendable {
        case nothing
        /// What was held is no longer valid and must not be used for new connections.
        case expired
        /// What had expired is valid again, because the time of day was set back: use it.
        case restored
        /// The request got no answer; it counts as failed.
        case timedOut
    }

    /// What `issued` decided.
    package enum Issued: Hashable, Sendable {
        case accepted
        /// It has expired already: treated as a failure.
        case refusedAsExpired
        /// What is held lasts as long, and nobody asked; nothing changed.
        case ignored
    }

    /// How long an answer may take; less for short lifetimes.
    package static let answerTime = Duration.seconds(10)

    private var state: State
    private var held: Held?
    /// Of the last certificate, also when it is gone: how fast to try again.
    private var lifetime: Int64 = 300

    /// The first request is due at once.
    package init(at now: ClockReading) {
        state = .due(at: now.monotonic, failures: 0)
    }

    /// Starts with a certificate from before (a predecessor's), to be renewed in its time; at once if it has expired.
    ///
    /// - Parameter jitter: uniform in 0..<1; spreads renewals.
    package init(holding notBefore: Int64, until notAfter: Int64, at now: ClockReading, jitter: Double) {
        // Issuers begin validity up to five minutes before they sign.
        let start = min(Self.sum(notBefore, ValidityRule.clockSkew), max(notBefore, Self.middle(notBefore, notAfter)))
        lifetime = Self.difference(notAfter, start)
        let left = Self.difference(notAfter, now.secondsSince1970)
        let planned = Self.sum(start, Self.share(of: lifetime, jitter))
        let wait =
            planned > now.secondsSince1970
            ? Duration.seconds(Self.difference(planned, now.secondsSince1970))
            : .seconds(min(left, Self.longestWait)) * (0.25 + Self.fraction(jitter) / 4)
        state = .due(at: now.monotonic + wait, failures: 0)
        // What is past its half waits by the timer alone, or all of a node's would be asked for in one second.
        held = Held(
            notAfter: notAfter, renewal: planned > now.secondsSince1970 ? planned : notAfter,
            end: now.monotonic + .seconds(left))
    }

    // MARK: Outputs

    /// How long until the next request is due, not negative; nil while one is under way.
    package func wait(at now: ClockReading) -> Duration? {
        guard case .due(let at, let failures) = state else { return nil }
        let byTimer = max(.zero, at - now.monotonic)
        guard failures == 0, let held else { return byTimer }
        return min(byTimer, .seconds(Self.difference(held.renewal, now.secondsSince1970)))
    }

    /// A request should be made: the owner says `asked` when it does, now or later.
    package func isDue(at now: ClockReading) -> Bool { wait(at: now) == .zero }

    /// A request is under way.
    package var isRequesting: Bool {
        if case .requesting = state { true } else { false }
    }

    // MARK: Inputs

    /// Time passed.
    ///
    /// - Parameter jitter: uniform in 0..<1.
    package mutating func timeReached(_ now: ClockReading, jitter: Double) -> Step {
        if let step = validityReached(now) { return step }
        guard case .requesting(let since, _) = state, now.monotonic - since >= answerTime else { return .nothing }
        failed(at: now, jitter: jitter)
        return .timedOut
    }

    private mutating func validityReached(_ now: ClockReading) -> Step? {
        guard var held else { return nil }
        let isValid = now.secondsSince1970 <= held.notAfter
        guard isValid == held.isUsable else {
            held.isUsable = isValid
            self.held = held
            return isValid ? .restored : .expired
        }
        // Both clocks say that it is over: there is nothing to come back to.
        if !isValid, now.monotonic > held.end { self.held = nil }
        return nil
    }

    /// The request was made.
    package mutating func asked(at now: ClockReading) {
        guard case .due(_, let failures) = state else { return }
        state = .requesting(since: now.monotonic, failures: failures)
    }

    /// A certificate of this validity came: the answer, or a late one to an earlier request, which is as good.
    ///
    /// - Parameter jitter: uniform in 0..<1; spreads renewals over 45 to 55 % of the lifetime.
    package mutating func issued(
        notBefore: Int64, notAfter: Int64, at now: ClockReading, jitter: Double
    ) -> Issued {
        let wall = now.secondsSince1970
        guard isRequesting || notAfter > held?.notAfter ?? .min else { return .ignored }
        guard wall <= notAfter, notBefore <= notAfter else {
            failed(at: now, jitter: jitter)
            return .refusedAsExpired
        }
        // From now on, or from when it begins by a clock that is ahead of this one; so a certificate that is past its
        // half when it comes is not asked for again at once.
        let start = max(notBefore, wall)
        lifetime = Self.difference(notAfter, start)
        let wait = max(0.3, min(Double(lifetime), 1e9) * (0.45 + Self.fraction(jitter) / 10))
        state = .due(at: now.monotonic + .seconds(wait), failures: 0)
        held = Held(
            notAfter: notAfter, renewal: Self.sum(start, Int64(wait.rounded(.up))),
            end: now.monotonic + .seconds(Self.difference(notAfter, wall)))
        return .accepted
    }

    /// The request failed. The next is due after 1, 2, 4, ... seconds, at most 30 s or a tenth of the lifetime, of
    /// which `jitter` (uniform in 0..<1) takes off up to half. Ignored if no request is under way.
    package mutating func failed(at now: ClockReading, jitter: Double) {
        guard case .requesting(_, let failures) = state else { return }
        let ceiling = max(0.3, min(30, Double(lifetime) / 10))
        let doubled = min(ceiling, Double(Int64(1) << Int64(min(failures, 5))))
        let wait = doubled * (1 - Self.fraction(jitter) / 2)
        state = .due(at: now.monotonic + .seconds(wait), failures: min(failures, 30) + 1)
    }

    /// What is held must be replaced although it is valid: a request is due within seconds.
    ///
    /// - Parameter jitter: uniform in 0..<1; spreads the requests of many over five seconds.
    package mutating func replacementNeeded(at now: ClockReading, jitter: Double) {
        guard case .due(let at, let failures) = state else { return }
        let soon = now.monotonic + .seconds(Self.fraction(jitter) * 5)
        state = .due(at: min(at, soon), failures: failures)
    }

    // MARK: Numbers

    /// A lost answer is given up in time to try again twice before the certificate ends.
    private var answerTime: Duration { max(.seconds(1), min(Self.answerTime, .seconds(lifetime / 6))) }

    /// Longer waits make no difference, and stay clear of the limits of arithmetic.
    private static let longestWait: Int64 = 1 << 40

    /// 45 to 55 % of `lifetime`.
    private static func share(of lifetime: Int64, _ jitter: Double) -> Int64 {
        let bounded = Double(min(lifetime, longestWait))
        return Int64(bounded * (0.45 + fraction(jitter) / 10))
    }

    private static func fraction(_ jitter: Double) -> Double { jitter >= 0 && jitter < 1 ? jitter : 0 }

    /// Between two moments, the later of which may not be one.
    private static func middle(_ a: Int64, _ b: Int64) -> Int64 { sum(a, difference(b, a) / 2) }

    private static func sum(_ a: Int64, _ b: Int64) -> Int64 {
        let (sum, overflow) = a.addingReportingOverflow(b)
        return overflow ? (b > 0 ? .max : .min) : sum
    }

    /// `a - b`, from 0 through `longestWait`.
    private static func difference(_ a: Int64, _ b: Int64) -> Int64 {
        let (difference, overflow) = a.subtractingReportingOverflow(b)
        return overflow ? (a > b ? longestWait : 0) : min(max(0, difference), longestWait)
    }
}
