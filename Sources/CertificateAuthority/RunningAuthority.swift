package import Mesh
import Synchronization

/// The authority as a controller runs it: opened, looked at again and again, and asked to sign. May be used from any
/// thread.
package final class RunningAuthority: Sendable {
    /// Where the authority's files are.
    package enum Source: Hashable, Sendable {
        /// An own authority, or the operator's files, in a directory (`AuthorityDirectory`).
        case directory(String)
        /// The operator's files, wherever they are; join tokens and revocations are in `state`.
        case files(AuthorityPaths, state: String)

        /// Where join tokens and revocations are.
        package var stateDirectory: String {
            switch self {
            case .directory(let path): path
            case .files(_, let state): state
            }
        }
    }

    /// What a look at the files found.
    package enum Refreshment: Hashable, Sendable {
        case unchanged
        /// Roots, issuer or revocations are others now: tell everybody.
        case changed
        /// The files cannot be used; what was read before stays in force. Said once per cause.
        case failed(AuthorityError)
    }

    private struct State {
        var issuer: CertificateIssuer
        var revocations: [RevocationList.Entry]
        var stamp: AuthorityStamp
        var openedAt: Int64
        var lastError: AuthorityError?
        var notedLifetime: Int64 = 0
    }

    /// The trust domain that it signs for.
    package let trustDomain: TrustDomain
    /// The join tokens.
    package let tokens: JoinTokenStore
    /// What is taken back.
    package let revocations: RevocationList
    private let source: Source
    private let directory: AuthorityDirectory
    private let state: Mutex<State>

    /// How often the files are read even if they look the same, in seconds: an issuer of ours may be due.
    private static let reopeningIntervalInSeconds: Int64 = 3600

    /// - Parameter now: seconds since 1970.
    /// - Throws: as `AuthorityDirectory.open`.
    package init(_ source: Source, trustDomain: TrustDomain, now: Int64) throws(AuthorityError) {
        self.source = source
        self.trustDomain = trustDomain
        directory = AuthorityDirectory(path: source.stateDirectory, trustDomain: trustDomain)
        tokens = JoinTokenStore(directory: source.stateDirectory)
        revocations = RevocationList(directory: source.stateDirectory)
        // Made first if there is none; then the stamp, so that what changes while it is read is seen by the next look.
        _ = try Self.open(source, directory, now: now)
        let stamp = AuthorityStamp(of: source)
        let issuer = try Self.open(source, directory, now: now)
        state = Mutex(
            State(
                issuer: issuer, revocations: try revocations.entries(now: now), stamp: stamp, openedAt: now))
    }

    private static func open(
        _ source: Source, _ directory: AuthorityDirectory, now: Int64
    ) throws(AuthorityError) -> CertificateIssuer {
        switch source {
        case .directory: try directory.open(now: now)
        case .files(let paths, _): try CertificateIssuer(paths, trustDomain: directory.trustDomain, now: now)
        }
    }

    /// Looks whether the files changed, and reads them if so. Cheap: call it about once a second.
    /// - Parameter now: seconds since 1970.
    package func refresh(now: Int64) -> Refreshment {
        state.withLock { state in
            let stamp = AuthorityStamp(of: source)
            let isDue =
                abs(now.subtractingReportingOverflow(state.openedAt).partialValue) >= Self.reopeningIntervalInSeconds
            guard stamp != state.stamp || isDue || state.lastError != nil else { return .unchanged }
            do throws(AuthorityError) {
                let old = (state.issuer.status, state.revocations)
                state.issuer = try Self.open(source, directory, now: now)
                state.revocations = try revocations.entries(now: now)
                state.stamp = stamp
                state.openedAt = now
                let hadError = state.lastError != nil
                state.lastError = nil
                return old != (state.issuer.status, state.revocations) || hadError ? .changed : .unchanged
            } catch {
                // Tried again at the next look: the operator may be half-way through exchanging the files.
                defer { state.lastError = error }
                return state.lastError == error ? .unchanged : .failed(error)
            }
        }
    }

    // MARK: What is in force

    /// What signs now.
    package var issuer: CertificateIssuer { state.withLock { $0.issuer } }

    /// For reports.
    package var status: AuthorityStatus { issuer.status }

    /// Why the files cannot be used as they are now; nil if they can.
    package var lastError: AuthorityError? { state.withLock { $0.lastError } }

    /// Every trusted root, PEM; empty if they cannot be encoded, which does not happen to what was read from PEM.
    package var trustBundlePEM: String { (try? issuer.rootsPEM()) ?? "" }

    /// Serial numbers that are taken back: lower-case hexadecimal, without leading zeros.
    package var revokedSerials: [String] { state.withLock { $0.revocations.map(\.serial) } }

    // MARK: Signing

    /// As `CertificateIssuer.sign`; the caller must have been authorised for `identity`.
    package func sign(
        requestPEM: String, identity: SPIFFEID, lifetimeInSeconds: Int64 = 0, now: Int64
    ) throws(AuthorityError) -> IssuedCertificate {
        let longest = CertificateIssuer.lifetimeInSeconds
        try note(lifetimeInSeconds > 0 ? min(lifetimeInSeconds, longest) : longest)
        return try issuer.sign(
            requestPEM: requestPEM, identity: identity, lifetimeInSeconds: lifetimeInSeconds, now: now)
    }

    /// As `CertificateIssuer.signNode`; the caller must have checked that whoever asks is that node.
    package func signNode(
        requestPEM: String, node: String, lifetimeInSeconds: Int64 = 0, now: Int64
    ) throws(AuthorityError) -> IssuedCertificate {
        try note(CertificateIssuer.nodeLifetime(askedFor: lifetimeInSeconds))
        return try issuer.signNode(
            requestPEM: requestPEM, node: node, lifetimeInSeconds: lifetimeInSeconds, now: now)
    }

    /// Before the first certificate of a longer lifetime than ever: the end of a change of root waits for it. Files of
    /// the operator's are the operator's to exchange.
    private func note(_ lifetime: Int64) throws(AuthorityError) {
        guard case .directory = source, state.withLock({ $0.notedLifetime < lifetime }) else { return }
        try directory.note(grantedLifetime: lifetime)
        state.withLock { $0.notedLifetime = max($0.notedLifetime, lifetime) }
    }
}
