package import Mesh

/// The certificates of all identities that this node's workloads have. Wishes and answers go in, actions come out;
/// the owner does the I/O. Confined to the owner; time and randomness are arguments.
package struct CertificateStore: ~Copyable {
    /// A class, because a schedule cannot be copied and so cannot be a dictionary's value itself.
    private final class Entry {
        var schedule: RotationSchedule
        var svid: SVID?
        var lastError: String?

        init(schedule: consuming RotationSchedule, svid: SVID? = nil) {
            self.schedule = schedule
            self.svid = svid
        }
    }

    private var entries: [SPIFFEID: Entry] = [:]
    private var actions: [CertificateAction] = []

    package init() {}

    // MARK: Inputs

    /// From now on exactly these identities are needed.
    package mutating func want(_ identities: Set<SPIFFEID>, at now: Int64) {
        for identity in entries.keys where !identities.contains(identity) {
            entries[identity] = nil
            actions.append(.forget(identity))
        }
        for identity in identities where entries[identity] == nil {
            entries[identity] = Entry(schedule: RotationSchedule(at: now))
        }
        advance(to: now)
    }

    /// A predecessor left `svid`: it is wanted, published if it is still valid, and renewed in its time.
    /// Ignored if there is one already.
    package mutating func restore(_ svid: SVID, at now: Int64, jitter: Double) {
        guard entries[svid.identity]?.svid == nil, now <= svid.notAfter else { return }
        let schedule = RotationSchedule(holding: svid.notBefore, until: svid.notAfter, at: now, jitter: jitter)
        entries[svid.identity] = Entry(schedule: schedule, svid: svid)
        actions.append(.publish(svid))
        advance(to: now)
    }

    /// The CA answered the request for `svid.identity`. Ignored if that is no longer wanted.
    ///
    /// - Parameter jitter: uniform in 0..<1.
    package mutating func issued(_ svid: SVID, at now: Int64, jitter: Double) {
        guard let entry = entries[svid.identity] else { return }
        switch entry.schedule.issued(notBefore: svid.notBefore, notAfter: svid.notAfter, at: now, jitter: jitter) {
        case .accepted:
            entry.svid = svid
            entry.lastError = nil
            actions.append(.publish(svid))
        case .refusedAsExpired:
            entry.lastError = "the CA issued a certificate that has expired already: compare its clock with this node's"
        case .ignored:
            // A late answer to a request that was counted as failed: the next one is on its way.
            break
        }
    }

    /// The request for `identity` failed for the reason in `message`. Ignored if it is no longer wanted.
    package mutating func failed(_ identity: SPIFFEID, message: String, at now: Int64, jitter: Double) {
        guard let entry = entries[identity] else { return }
        entry.lastError = message
        entry.schedule.failed(at: now, jitter: jitter)
    }

    /// It is `now`: requests become due, certificates expire.
    package mutating func advance(to now: Int64) {
        for (identity, entry) in entries {
            stepping: while true {
                switch entry.schedule.timeReached(now) {
                case .nothing: break stepping
                case .request: actions.append(.request(identity))
                case .expired:
                    entry.svid = nil
                    actions.append(.expired(identity))
                }
            }
        }
    }

    // MARK: Outputs

    /// What is to be done now, in order; each action is returned once. Call after every input.
    package mutating func takeActions() -> [CertificateAction] {
        defer { actions = [] }
        return actions
    }

    /// When `advance` has something to do next, in seconds since 1970; nil if nothing is planned.
    package var nextEvent: Int64? { entries.values.compactMap { $0.schedule.nextEvent }.min() }

    /// The valid certificate of `identity`, if there is one.
    package func svid(of identity: SPIFFEID) -> SVID? { entries[identity]?.svid }

    /// Every valid certificate: for the hand-over to a successor.
    package var svids: [SVID] { entries.values.compactMap(\.svid) }

    /// Every wanted identity, sorted by name.
    package func statuses(at now: Int64) -> [CertificateStatus] {
        entries.map { identity, entry in Self.status(of: identity, entry, at: now) }
            .sorted { $0.identity.description < $1.identity.description }
    }

    private static func status(of identity: SPIFFEID, _ entry: Entry, at now: Int64) -> CertificateStatus {
        let nextRequest = entry.schedule.nextRequest
        let state: CertificateStatus.State =
            switch entry.svid {
            case let svid? where now <= svid.notAfter: nextRequest == nil || entry.lastError != nil ? .renewing : .valid
            default: .unavailable
            }
        return CertificateStatus(
            identity: identity, state: state, notBefore: entry.svid?.notBefore, notAfter: entry.svid?.notAfter,
            serial: entry.svid?.serial, nextRequest: nextRequest, lastError: entry.lastError)
    }
}
