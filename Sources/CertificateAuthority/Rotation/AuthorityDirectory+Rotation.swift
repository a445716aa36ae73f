import FoundationEssentials

extension AuthorityDirectory {
    /// Makes a new root, which is trusted from now on and does not sign yet.
    /// - Parameter now: seconds since 1970.
    /// - Throws: `rotationRefused` if a change is under way or the operator brings the files; else as `open`.
    @discardableResult package func beginRotation(now: Int64) throws(AuthorityError) -> RootRotation {
        try step(now: now) { generation throws(AuthorityError) in
            if let rotation = generation.change?.rotation {
                throw Self.refused(
                    "a change of root is under way already (\(rotation.state.rawValue)): go on with 'meshnode authority"
                        + " rotate \(rotation.state == .begun ? "activate" : "finish")', or undo it with 'rotate abort'"
                )
            }
            let rotation = RootRotation(state: .begun, since: now, otherRootNeededUntil: nil)
            generation.change = (try NewAuthority.makeRoot(trustDomain, now: now), rotation)
            return rotation
        }
    }

    /// Lets the new root sign; both stay trusted.
    /// - Parameters:
    ///   - isForced: even if the new root was announced only a moment ago.
    ///   - now: seconds since 1970.
    /// - Throws: `rotationRefused` if no change was begun or it is too early; else as `open`.
    @discardableResult package func activateRotation(
        isForced: Bool = false, now: Int64
    ) throws(AuthorityError) -> RootRotation {
        try step(now: now) { generation throws(AuthorityError) in
            guard let change = generation.change, change.rotation.state == .begun else {
                throw Self.refused(
                    generation.change == nil
                        ? "no change of root is under way: begin with 'meshnode authority rotate begin'"
                        : "the new root signs already: end the change with 'meshnode authority rotate finish'")
            }
            let due = change.rotation.since + RootRotation.announcementInSeconds
            guard isForced || now >= due else {
                throw Self.refused(
                    "the new root was announced \(max(0, now - change.rotation.since)) s ago: wait until everybody has"
                        + " heard of it, \(due - now) s more, or use --force")
            }
            return try exchange(&generation, change.other, .activated, now: now)
        }
    }

    /// Stops trusting the old root and removes its key.
    /// - Parameters:
    ///   - isForced: even if certificates of the old root may be in use, which peers will then refuse.
    ///   - now: seconds since 1970.
    /// - Throws: `rotationRefused` if the new root does not sign, or while certificates of the old one may be in use
    ///   (the message says until when); else as `open`.
    package func finishRotation(isForced: Bool = false, now: Int64) throws(AuthorityError) {
        _ = try step(now: now) { generation throws(AuthorityError) in
            guard let rotation = generation.change?.rotation, rotation.state == .activated else {
                throw Self.refused(
                    generation.change == nil
                        ? "no change of root is under way: begin with 'meshnode authority rotate begin'"
                        : "the new root does not sign yet: first 'meshnode authority rotate activate'")
            }
            try Self.checkThatNobodyNeedsTheOther(rotation, "old", isForced: isForced, now: now)
            generation.change = nil
            return rotation
        }
        removeOldGenerations()
    }

    /// One step back: after `activateRotation` the old root signs again and both stay trusted; after
    /// `beginRotation` the new root is forgotten.
    /// - Returns: the change that is left; nil if it is undone.
    /// - Throws: `rotationRefused` if no change is under way, or while certificates of the new root may be in use; else
    ///   as `open`.
    @discardableResult package func abortRotation(
        isForced: Bool = false, now: Int64
    ) throws(AuthorityError) -> RootRotation? {
        let left: RootRotation? = try step(now: now) { generation throws(AuthorityError) in
            guard let change = generation.change else { throw Self.refused("no change of root is under way") }
            guard change.rotation.state == .begun else {
                return try exchange(&generation, change.other, .begun, now: now)
            }
            try Self.checkThatNobodyNeedsTheOther(change.rotation, "new", isForced: isForced, now: now)
            generation.change = nil
            return nil
        }
        if left == nil { removeOldGenerations() }
        return left
    }

    // MARK: Steps

    /// The root that signs and the other one change places.
    private func exchange(
        _ generation: inout AuthorityGeneration, _ next: KeyedCertificate, _ state: RootRotation.State, now: Int64
    ) throws(AuthorityError) -> RootRotation {
        let granted = try longestGrantedLifetime()
        // A controller needs a moment to notice and signs with the former until then.
        let end = min(
            generation.issuer.certificate.notAfterSeconds, now + granted + RootRotation.announcementInSeconds)
        let rotation = RootRotation(state: state, since: now, otherRootNeededUntil: end)
        generation = AuthorityGeneration(
            root: next, issuer: try NewAuthority.makeIssuer(trustDomain, root: next, now: now),
            change: (generation.root, rotation))
        return rotation
    }

    private static func checkThatNobodyNeedsTheOther(
        _ rotation: RootRotation, _ name: String, isForced: Bool, now: Int64
    ) throws(AuthorityError) {
        guard !isForced, let end = rotation.otherRootNeededUntil, now <= end else { return }
        let date = Date(timeIntervalSince1970: TimeInterval(end)).formatted(.iso8601)
        throw refused(
            "certificates of the \(name) root may be in use until \(date) (\(end - now) s more): wait, or cut those who"
                + " hold one off with --force")
    }

    /// Reads the newest generation, changes it by `body`, and writes it as the next. Between two who do so at once
    /// the slower sees what the faster did.
    private func step<Result>(
        now: Int64, _ body: (inout AuthorityGeneration) throws(AuthorityError) -> Result
    ) throws(AuthorityError) -> Result {
        // Makes the authority if there is none, and says what is wrong if it cannot be used.
        _ = try open(now: now)
        guard !hasOperatorFiles else {
            throw Self.refused(
                "the files of the authority in \(path) were put there by you: add the new root to root-cert.pem, wait"
                    + " until the mesh has it, exchange ca-cert.pem, ca-key.pem and cert-chain.pem, and remove the old"
                    + " root once its certificates have expired; the controller notices each change by itself")
        }
        for _ in 0..<8 {
            let number = try requiredGeneration()
            var generation = try AuthorityGeneration(reading: directory(of: number))
            let result = try body(&generation)
            if try write(generation, asGeneration: number + 1) {
                linkRoot(of: number + 1)
                return result
            }
        }
        throw AuthorityError(
            .fileUnusable, "the authority in \(path) is being changed by others all the time: try again")
    }

    /// The key of a root that is trusted no more must not lie around.
    private func removeOldGenerations() {
        guard let newest = try? requiredGeneration() else { return }
        for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] {
            guard let number = Self.generationNumber(of: name), number < newest else { continue }
            try? FileManager.default.removeItem(atPath: "\(path)/\(name)")
        }
    }

    private static func refused(_ text: String) -> AuthorityError { AuthorityError(.rotationRefused, text) }

    // MARK: What was granted

    private var longestLifetimePath: String { "\(path)/longest-lifetime.json" }

    /// The longest lifetime of a certificate that was signed here, in seconds.
    func longestGrantedLifetime() throws(AuthorityError) -> Int64 {
        // Those from before this was noted are workloads', with the default.
        try StateFile.readIfPresent(longestLifetimePath) ?? CertificateIssuer.lifetimeInSeconds
    }

    /// Notes that a certificate of this lifetime is about to be signed, so that its root is trusted for as long.
    /// - Throws: `fileUnusable`: then it must not be signed.
    func note(grantedLifetime seconds: Int64) throws(AuthorityError) {
        let known: Int64? = try StateFile.readIfPresent(longestLifetimePath)
        if known.map({ $0 < seconds }) ?? true { try StateFile.write(seconds, to: longestLifetimePath) }
    }
}
