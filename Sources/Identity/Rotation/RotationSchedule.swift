/// When one identity's certificate is asked for.
///
///     due --timeReached()--> requesting --issued()--> holding --timeReached(), half of the lifetime--> requesting
///                                |  ^
///                       failed() v  | timeReached(), back-off over
///                              waiting
///
/// What is held stays in use through `requesting` and `waiting` until it expires; then `timeReached` says so once.
/// Wall time throughout, in seconds since 1970, because that is what certificates speak of; randomness is an argument.
package struct RotationSchedule: ~Copyable {
    /// A certificate's validity.
    private struct Held {
        let notAfter: Int64
        let lifetime: Int64
    }

    private enum State {
        case due(at: Int64, failures: Int)
        case requesting(failures: Int)
    }

    /// What `timeReached` asks the owner to do; call again until it is `nothing`.
    package enum Step: Hashable, Sendable {
        case nothing
        /// Ask for a certificate, then say `issued` or `failed`.
        case request
        /// What was held is no longer valid and must not be used for new connections.
        case expired
    }

    /// What `issued` decided.
    package enum Issued: Hashable, Sendable {
        case accepted
        /// It has expired already: treated as a failure.
        case refusedAsExpired
        /// No request was under way, or an older one answers late; nothing changed.
        case ignored
    }

    private var state: State
    private var held: Held?

    /// The first request is due at once.
    package init(at now: Int64) {
        state = .due(at: now, failures: 0)
    }

    /// Starts with a certificate from before (a predecessor's), to be renewed in its time.
    package init(holding notBefore: Int64, until notAfter: Int64, at now: Int64, jitter: Double) {
        let held = Held(notAfter: notAfter, lifetime: Self.lifetime(from: notBefore, to: notAfter))
        self.held = held
        state = .due(at: Self.renewal(notBefore: notBefore, held, at: now, jitter: jitter), failures: 0)
    }

    /// When `timeReached` has something to do next; nil while a request is under way and nothing is held.
    package var nextEvent: Int64? {
        let expiry = held.map { Self.sum($0.notAfter, 1) }
        switch state {
        case .due(let at, _): return min(at, expiry ?? at)
        case .requesting: return expiry
        }
    }

    /// When the next request is due; nil while one is under way.
    package var nextRequest: Int64? {
        switch state {
        case .due(let at, _): at
        case .requesting: nil
        }
    }

    /// It is `now`.
    package mutating func timeReached(_ now: Int64) -> Step {
        if let notAfter = held?.notAfter, now > notAfter {
            held = nil
            return .expired
        }
        guard case .due(let at, let failures) = state, now >= at else { return .nothing }
        state = .requesting(failures: failures)
        return .request
    }

    /// The request was answered with a certificate of this validity.
    ///
    /// - Parameter jitter: uniform in 0..<1; spreads renewals over 45 to 55 % of the lifetime.
    package mutating func issued(notBefore: Int64, notAfter: Int64, at now: Int64, jitter: Double) -> Issued {
        guard case .requesting = state else { return .ignored }
        guard now <= notAfter, notBefore <= notAfter else {
            failed(at: now, jitter: jitter)
            return .refusedAsExpired
        }
        let held = Held(notAfter: notAfter, lifetime: Self.lifetime(from: notBefore, to: notAfter))
        self.held = held
        state = .due(at: Self.renewal(notBefore: notBefore, held, at: now, jitter: jitter), failures: 0)
        return .accepted
    }

    /// The request failed. The next is due after 1, 2, 4, ... seconds, at most 30 s or a tenth of the lifetime held,
    /// of which `jitter` (uniform in 0..<1) takes off up to half. Ignored if no request is under way.
    package mutating func failed(at now: Int64, jitter: Double) {
        guard case .requesting(let failures) = state else { return }
        let ceiling = min(30, max(1, (held?.lifetime ?? 300) / 10))
        let doubled = min(ceiling, Int64(1) << Int64(min(failures, 5)))
        let wait = max(1, doubled - Int64(Self.fraction(jitter) * 0.5 * Double(doubled)))
        state = .due(at: Self.sum(now, wait), failures: min(failures, 30) + 1)
    }

    private static func lifetime(from notBefore: Int64, to notAfter: Int64) -> Int64 {
        let (difference, overflow) = notAfter.subtractingReportingOverflow(notBefore)
        return overflow ? .max : max(0, difference)
    }

    /// Half-way through the lifetime, give or take a twentieth of it; for one that is older than that, half-way
    /// through what is left, so that a CA with a wrong clock is not asked in a loop.
    private static func renewal(notBefore: Int64, _ held: Held, at now: Int64, jitter: Double) -> Int64 {
        // A tenth of the lifetime, without going through Double for the whole of it: 2^63 does not convert back.
        let spread = Int64(fraction(jitter) * Double(min(held.lifetime / 10, 1 << 52)))
        let planned = sum(notBefore, held.lifetime / 2 - held.lifetime / 20 + spread)
        guard planned <= now else { return planned }
        return sum(now, max(1, lifetime(from: now, to: held.notAfter) / 2))
    }

    private static func fraction(_ jitter: Double) -> Double { jitter >= 0 && jitter < 1 ? jitter : 0 }

    private static func sum(_ a: Int64, _ b: Int64) -> Int64 {
        let (sum, overflow) = a.addingReportingOverflow(b)
        return overflow ? (b > 0 ? .max : .min) : sum
    }
}
