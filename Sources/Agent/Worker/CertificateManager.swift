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
        /// It expired, or nobody on this node needs it any more.
        func certificateGone(_ identity: SPIFFEID)
        func bundlesChanged(_ bundles: TrustBundles)
        func renewalEnded(successfully isSuccess: Bool)
    }

    private struct Request {
        let identity: SPIFFEID
        let key: PrivateKey
    }

    private var store = CertificateStore()
    private(set) var bundles: TrustBundles
    /// Identities whose certificate ran out, until another comes or it is needed no more.
    private(set) var expired: Set<SPIFFEID> = []
    private var requests: [UInt64: Request] = [:]
    private var lastRequest: UInt64 = 0
    private var versions: UInt64 = 0
    unowned let delegate: any Delegate
    /// Seconds since 1970.
    private let clock: () -> Int64

    init(
        trustDomain: TrustDomain, delegate: any Delegate, clock: @escaping () -> Int64 = { WallClock.secondsSince1970 }
    ) {
        bundles = TrustBundles(own: trustDomain)
        self.delegate = delegate
        self.clock = clock
    }

    /// The identities that this node's pods have now.
    func want(_ identities: Set<SPIFFEID>) {
        store.want(identities, at: now)
        act()
    }

    /// Time passed.
    func tick() {
        store.advance(to: now)
        act()
    }

    /// The controller is gone: requests under way will not be answered.
    func controllerLost(_ cause: String) {
        let lost = requests
        requests = [:]
        for request in lost.values { fail(request.identity, "the controller went away: \(cause)") }
    }

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
        store.issued(svid, at: now, jitter: .random(in: 0..<1))
        delegate.renewalEnded(successfully: true)
    }

    private func act() {
        for action in store.takeActions() {
            switch action {
            case .request(let identity): request(identity)
            case .publish(let svid):
                expired.remove(svid.identity)
                delegate.certificateReady(svid)
            case .expired(let identity):
                expired.insert(identity)
                delegate.certificateGone(identity)
            case .forget(let identity):
                expired.remove(identity)
                delegate.certificateGone(identity)
            }
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
            requests[lastRequest] = Request(identity: identity, key: key)
        } catch {
            fail(identity, "a key or request could not be made: \(error)")
        }
    }

    private func fail(_ identity: SPIFFEID, _ message: String) {
        store.failed(identity, message: message, at: now, jitter: .random(in: 0..<1))
        delegate.renewalEnded(successfully: false)
    }

    /// The state of each, for the report.
    var statuses: [CertificateStatus] { store.statuses(at: now) }

    private var now: Int64 { clock() }
}
