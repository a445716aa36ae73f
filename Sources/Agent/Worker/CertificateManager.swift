internal import Identity
internal import Kernel
internal import Mesh
internal import TLS
internal import XDS

/// Keeps the certificates of this node's workloads: makes keys and requests, checks what the CA answers, and hands the
/// results on. When to do what is the `CertificateStore`'s to say.
final class CertificateManager {
    /// Told of results; on the control loop.
    protocol Delegate: AnyObject {
        /// Sends a request; false if there is nobody to send it to.
        func send(_ request: CertificateRequest) -> Bool
        func certificateReady(_ svid: SVID)
        /// It expired; told again when there is a newer reason why it was not renewed.
        func certificateExpired(_ absence: CertificateAbsence)
        /// Nobody on this node needs it any more.
        func certificateGone(_ identity: SPIFFEID)
        func bundlesChanged(_ bundles: TrustBundles)
        func renewalEnded(successfully isSuccess: Bool)
    }

    private struct Request {
        let identity: SPIFFEID
        let key: PrivateKey
        let madeAt: Duration
    }

    private var store = CertificateStore()
    private(set) var bundles: TrustBundles
    /// Identities whose certificate ran out, until another comes or it is needed no more.
    private(set) var expired: Set<SPIFFEID> = []
    private var requests: [UInt64: Request] = [:]
    private var lastRequest: UInt64 = 0
    private var versions: UInt64 = 0
    unowned let delegate: any Delegate
    private let clock: () -> ClockReading

    /// An answer that comes later than this is not waited for any more; the key that was made for it is destroyed.
    private static let longestWait = Duration.seconds(60)

    init(trustDomain: TrustDomain, delegate: any Delegate, clock: @escaping () -> ClockReading = ClockReading.system) {
        bundles = TrustBundles(own: trustDomain)
        self.delegate = delegate
        self.clock = clock
    }

    // MARK: Inputs

    /// The identities that this node's pods have now.
    func want(_ identities: Set<SPIFFEID>) {
        store.want(identities, at: clock(), jitter: Self.jitter)
        act()
    }

    /// Time passed; a few times a second.
    func tick() {
        let now = clock()
        requests = requests.filter { now.monotonic - $0.value.madeAt < Self.longestWait }
        store.advance(to: now, jitter: Self.jitter)
        act()
    }

    /// The controller is gone: requests under way will not be answered.
    func controllerLost(_ cause: String) {
        let lost = requests
        requests = [:]
        for request in lost.values { fail(request.identity, "the controller went away: \(cause)") }
        act()
    }

    /// The CA answered.
    func received(_ response: CertificateResponse) {
        guard let request = requests.removeValue(forKey: response.id) else { return }
        switch response.outcome {
        case .refused(let reason): fail(request.identity, reason)
        case .issued(let chainPEM):
            do {
                try install(chainPEM, for: request)
            } catch {
                fail(request.identity, "what the CA answered cannot be used: \(error)")
            }
        }
        act()
    }

    /// What a predecessor left: it serves at once.
    func restore(_ svids: [SVID], _ bundles: TrustBundles) {
        self.bundles = bundles
        delegate.bundlesChanged(bundles)
        for svid in svids {
            versions = max(versions, svid.version)
            store.restore(svid, at: clock(), jitter: Self.jitter)
        }
        act()
    }

    /// The roots and the certificates taken back, as the controller told them now. Throws what is wrong with the roots;
    /// those in force stay so then, and what is taken back counts all the same.
    func trust(bundlePEM: String, revokedSerials: [String]) throws {
        // A subscriber that was started again and has not heard of the controller yet knows of neither.
        guard !bundlePEM.isEmpty || !revokedSerials.isEmpty else { return }
        let before = bundles.version
        bundles.replaceRevoked(revokedSerials)
        defer {
            if bundles.version != before {
                delegate.bundlesChanged(bundles)
                store.revoked(bundles.revokedSerials, at: clock(), jitter: Self.jitter)
                act()
            }
        }
        guard !bundlePEM.isEmpty else { return }
        try bundles.replaceRoots(of: bundles.own, with: try Certificate.parsePEM(Array(bundlePEM.utf8)))
    }

    /// The authority signs with the certificate of this serial number now.
    func issuerReported(_ serial: String) {
        store.issuerReported(Certificate.canonicalSerial(serial), at: clock(), jitter: Self.jitter)
        act()
    }

    // MARK: Outputs

    /// The state of each, for the report.
    var statuses: [CertificateStatus] { store.statuses(at: clock()) }

    /// What is wrong with this node's clock; nil if nothing seems to be.
    var clockProblem: String? { store.clockProblem }

    /// Every valid certificate, for a successor.
    var svids: [SVID] { store.svids }

    // MARK: Steps

    /// Leaf first, then what is between, the root bundle last (tunnel design, "CA").
    private func install(_ chainPEM: [String], for request: Request) throws {
        guard chainPEM.count >= 2, let rootsPEM = chainPEM.last else {
            throw TLSError(.badCertificate, "the answer holds no root bundle")
        }
        let chain = try chainPEM.dropLast().flatMap { try Certificate.parsePEM(Array($0.utf8)) }
        let roots = try Certificate.parsePEM(Array(rootsPEM.utf8))
        versions += 1
        let svid = try SVID(identity: request.identity, chain: chain, key: request.key, version: versions)
        let before = bundles.version
        try bundles.replaceRoots(of: bundles.own, with: roots)
        if bundles.version != before { delegate.bundlesChanged(bundles) }
        let wasValid = clock().secondsSince1970 <= svid.notAfter
        store.issued(svid, at: clock(), jitter: Self.jitter)
        delegate.renewalEnded(successfully: wasValid)
    }

    /// What is done may fail at once and bring more to do.
    private func act() {
        var actions = store.takeActions()
        while !actions.isEmpty {
            for action in actions { act(action) }
            actions = store.takeActions()
        }
    }

    private func act(_ action: CertificateAction) {
        switch action {
        case .request(let identity): request(identity)
        case .publish(let svid):
            expired.remove(svid.identity)
            delegate.certificateReady(svid)
        case .expired(let identity):
            expired.insert(identity)
            guard let absence = store.absence(of: identity) else { return }
            delegate.certificateExpired(absence)
        case .forget(let identity):
            expired.remove(identity)
            requests = requests.filter { $0.value.identity != identity }
            delegate.certificateGone(identity)
        }
    }

    private func request(_ identity: SPIFFEID) {
        do {
            let key = try PrivateKey.generate()
            let request = try makeCSR(key: key, uriSAN: identity.description)
            lastRequest += 1
            let message = CertificateRequest(
                id: lastRequest, signingRequestPEM: try PEM.encode(label: "CERTIFICATE REQUEST", der: request),
                identity: identity)
            guard delegate.send(message) else { return fail(identity, "the controller cannot be reached") }
            requests[lastRequest] = Request(identity: identity, key: key, madeAt: clock().monotonic)
        } catch {
            fail(identity, "a key or request could not be made: \(error)")
        }
    }

    private func fail(_ identity: SPIFFEID, _ message: String) {
        store.failed(identity, message: message, at: clock(), jitter: Self.jitter)
        delegate.renewalEnded(successfully: false)
    }

    private static func jitter() -> Double { .random(in: 0..<1) }
}

extension ClockReading {
    private static let start = ContinuousClock.now

    /// Both clocks of this machine, now.
    static func system() -> ClockReading {
        ClockReading(secondsSince1970: WallClock.secondsSince1970, monotonic: start.duration(to: .now))
    }
}
