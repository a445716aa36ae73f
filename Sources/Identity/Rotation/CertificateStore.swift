package import Mesh

/// The certificates of all identities that this node's workloads have. Wishes and answers go in, actions come out;
/// the owner does the I/O. Confined to the owner; time and randomness are arguments.
package struct CertificateStore: ~Copyable {
    /// A class, because a schedule cannot be copied and so cannot be a dictionary's value itself.
    private final class Entry {
        var schedule: RotationSchedule
        var svid: SVID?
        /// Last second of the last certificate, also when that is gone.
        var lastNotAfter: Int64?
        var isExpired = false
        var lastError: String?

        init(schedule: consuming RotationSchedule, svid: SVID? = nil) {
            self.schedule = schedule
            self.svid = svid
            lastNotAfter = svid?.notAfter
        }
    }

    /// Requests that are under way at once: a node that starts, or whose clock jumped, must not flood its CA.
    package static let requestLimit = 16

    private var entries: [SPIFFEID: Entry] = [:]
    private var actions: [CertificateAction] = []
    private let requestLimit: Int
    /// By how many seconds this node's clock seems to be ahead of the CA's (behind, if negative); nil if the last
    /// certificate that came was valid when it came.
    package private(set) var clockOffset: Int64?

    package init(requestLimit: Int = CertificateStore.requestLimit) { self.requestLimit = max(1, requestLimit) }

    // MARK: Inputs

    /// From now on exactly these identities are needed.
    ///
    /// - Parameter jitter: draws numbers uniform in 0..<1.
    package mutating func want(_ identities: Set<SPIFFEID>, at now: ClockReading, jitter: () -> Double) {
        for identity in entries.keys where !identities.contains(identity) {
            entries[identity] = nil
            actions.append(.forget(identity))
        }
        for identity in identities where entries[identity] == nil {
            entries[identity] = Entry(schedule: RotationSchedule(at: now))
        }
        advance(to: now, jitter: jitter)
    }

    /// A predecessor left `svid`: it is wanted, published if it is still valid, and renewed in its time.
    /// Ignored if there is one already.
    package mutating func restore(_ svid: SVID, at now: ClockReading, jitter: () -> Double) {
        guard entries[svid.identity]?.svid == nil, now.secondsSince1970 <= svid.notAfter else { return }
        let schedule = RotationSchedule(
            holding: svid.notBefore, until: svid.notAfter, at: now, jitter: jitter())
        entries[svid.identity] = Entry(schedule: schedule, svid: svid)
        actions.append(.publish(svid))
        advance(to: now, jitter: jitter)
    }

    /// The CA answered a request for `svid.identity`. Ignored if that is no longer wanted.
    package mutating func issued(_ svid: SVID, at now: ClockReading, jitter: () -> Double) {
        guard let entry = entries[svid.identity] else { return }
        let issued = entry.schedule.issued(
            notBefore: svid.notBefore, notAfter: svid.notAfter, at: now, jitter: jitter())
        if issued != .ignored { noteClock(svid, at: now) }
        switch issued {
        case .accepted:
            entry.svid = svid
            entry.lastNotAfter = svid.notAfter
            entry.isExpired = false
            entry.lastError = clockProblem
            actions.append(.publish(svid))
        case .refusedAsExpired:
            fail(entry, svid.identity, clockProblem ?? "the CA issued a certificate that has expired already")
        case .ignored: break
        }
        ask(at: now)
    }

    /// The request for `identity` failed for the reason in `message`. Ignored if it is no longer wanted.
    package mutating func failed(
        _ identity: SPIFFEID, message: String, at now: ClockReading, jitter: () -> Double
    ) {
        guard let entry = entries[identity] else { return }
        entry.schedule.failed(at: now, jitter: jitter())
        fail(entry, identity, message)
        ask(at: now)
    }

    /// The certificates with these serial numbers were taken back: who holds one gets another.
    ///
    /// - Parameter serials: as `Certificate.canonicalSerial` has them.
    package mutating func revoked(_ serials: Set<String>, at now: ClockReading, jitter: () -> Double) {
        guard !serials.isEmpty else { return }
        for entry in entries.values {
            guard let svid = entry.svid, serials.contains(svid.canonicalSerial) else { continue }
            entry.lastError = "the certificate \(svid.serial) was taken back"
            entry.schedule.replacementNeeded(at: now, jitter: jitter())
        }
        advance(to: now, jitter: jitter)
    }

    /// The authority signs with this certificate now: who holds one of another issuer gets another, because the root of
    /// that one may stop being trusted before it ends.
    ///
    /// - Parameter serial: as `Certificate.canonicalSerial` has it.
    package mutating func issuerReported(_ serial: String, at now: ClockReading, jitter: () -> Double) {
        for entry in entries.values {
            guard let own = entry.svid?.canonicalIssuerSerial, own != serial else { continue }
            entry.schedule.replacementNeeded(at: now, jitter: jitter())
        }
        advance(to: now, jitter: jitter)
    }

    /// Time passed: requests become due, certificates expire. Call a few times a second.
    package mutating func advance(to now: ClockReading, jitter: () -> Double) {
        for (identity, entry) in entries {
            stepping: while true {
                switch entry.schedule.timeReached(now, jitter: jitter()) {
                case .nothing: break stepping
                case .expired:
                    entry.isExpired = true
                    actions.append(.expired(identity))
                case .restored:
                    entry.isExpired = false
                    if let svid = entry.svid { actions.append(.publish(svid)) }
                case .timedOut: fail(entry, identity, "the CA does not answer")
                }
            }
        }
        ask(at: now)
    }

    /// Makes what requests may be made; those who have nothing come first, then those who lose theirs first.
    private mutating func ask(at now: ClockReading) {
        var free = requestLimit - entries.values.count { $0.schedule.isRequesting }
        guard free > 0 else { return }
        let due = entries.filter { $0.value.schedule.isDue(at: now) }
        let urgent = due.sorted { a, b in
            (a.value.isExpired ? .min : a.value.svid?.notAfter ?? .min)
                < (b.value.isExpired ? .min : b.value.svid?.notAfter ?? .min)
        }
        for (identity, entry) in urgent where free > 0 {
            entry.schedule.asked(at: now)
            actions.append(.request(identity))
            free -= 1
        }
    }

    private mutating func fail(_ entry: Entry, _ identity: SPIFFEID, _ message: String) {
        entry.lastError = message
        // Who is refused for want of it is told the newest reason.
        if entry.isExpired { actions.append(.expired(identity)) }
    }

    // MARK: The clock

    /// A certificate is signed for now: if it is not valid now, one of two clocks is wrong.
    private mutating func noteClock(_ svid: SVID, at now: ClockReading) {
        let wall = now.secondsSince1970
        // Issuers begin validity up to five minutes before they sign.
        let signed = min(svid.notAfter, svid.notBefore.addingReportingOverflow(ValidityRule.clockSkew).partialValue)
        let isValid = ValidityRule.hasBegun(notBefore: svid.notBefore, at: wall) && wall <= svid.notAfter
        clockOffset = isValid ? nil : wall.subtractingReportingOverflow(signed).partialValue
    }

    /// What is wrong with the clock, for an operator; nil if nothing seems to be.
    package var clockProblem: String? {
        guard let clockOffset else { return nil }
        let size = clockOffset.magnitude
        let about = size < 7200 ? "\((size + 30) / 60) min" : "\((size + 1800) / 3600) h"
        return "the clock is off by about \(about): this node's is \(clockOffset > 0 ? "ahead of" : "behind") the CA's;"
            + " certificates are not valid when they are issued; set the clock (NTP) of the one that is wrong"
    }

    // MARK: Outputs

    /// What is to be done now, in order; each action is returned once. Call after every input.
    package mutating func takeActions() -> [CertificateAction] {
        defer { actions = [] }
        return actions
    }

    /// The valid certificate of `identity`, if there is one.
    package func svid(of identity: SPIFFEID) -> SVID? {
        entries[identity].flatMap { $0.isExpired ? nil : $0.svid }
    }

    /// Every valid certificate: for the hand-over to a successor.
    package var svids: [SVID] { entries.values.compactMap { $0.isExpired ? nil : $0.svid } }

    /// Why `identity` has no certificate to show; nil if it has one or is not wanted.
    package func absence(of identity: SPIFFEID) -> CertificateAbsence? {
        guard let entry = entries[identity], entry.isExpired || entry.svid == nil else { return nil }
        guard let notAfter = entry.lastNotAfter else { return .missing(identity, because: entry.lastError) }
        return .expired(identity, notAfter: notAfter, because: entry.lastError)
    }

    /// Every wanted identity, sorted by name.
    package func statuses(at now: ClockReading) -> [CertificateStatus] {
        entries.map { identity, entry in Self.status(of: identity, entry, at: now) }
            .sorted { $0.identity.description < $1.identity.description }
    }

    private static func status(of identity: SPIFFEID, _ entry: Entry, at now: ClockReading) -> CertificateStatus {
        let wait = entry.schedule.wait(at: now)
        let nextRequest = wait.map { now.secondsSince1970.addingReportingOverflow($0.components.seconds).partialValue }
        let state: CertificateStatus.State =
            entry.svid == nil || entry.isExpired
            ? .unavailable : wait == nil || entry.lastError != nil ? .renewing : .valid
        let svid = entry.isExpired ? nil : entry.svid
        return CertificateStatus(
            identity: identity, state: state, notBefore: svid?.notBefore, notAfter: svid?.notAfter,
            serial: svid?.serial, nextRequest: nextRequest, lastError: entry.lastError)
    }
}
