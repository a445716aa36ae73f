internal import Agent
internal import CertificateAuthority

/// What `meshnode authority` says. It comes from the authority's directory, not from an agent.
struct AuthorityReport: Report {
    static let path = "/v1/authority"
    static let kind = "Authority"

    /// One certificate of the authority.
    struct Item: Codable, Sendable, Equatable {
        var subject: String
        var serial: String
        var fingerprint: String
        var notBefore: Timestamp
        var notAfter: Timestamp
    }

    /// A change of root that is under way.
    struct Rotation: Codable, Sendable, Equatable {
        /// `begun` or `activated`.
        var state: String
        var since: Timestamp
        /// Until when certificates of the root that does not sign may be in use; nil if it has never signed.
        var otherRootNeededUntil: Timestamp?
        /// The command that goes on.
        var next: String
    }

    /// A certificate that was taken back.
    struct Revocation: Codable, Sendable, Equatable {
        var serial: String
        var since: Timestamp
    }

    var apiVersion = ReportVersion.current
    var kind = AuthorityReport.kind
    var time: Timestamp
    var directory: String
    /// Every root that is trusted; the one that signs first.
    var roots: [Item]
    /// What signs certificates.
    var issuer: Item
    /// Nil if no change of root is under way.
    var rotation: Rotation?
    var revoked: [Revocation]

    init(_ directory: AuthorityDirectory, now: Int64) throws {
        let status = try directory.open(now: now).status
        time = Timestamp(secondsSince1970: now)
        self.directory = directory.path
        roots = status.roots.map(Item.init)
        issuer = Item(status.issuer)
        rotation = status.rotation.map(Rotation.init)
        revoked = try RevocationList(directory: directory.path).entries(now: now)
            .map { Revocation(serial: $0.serial, since: Timestamp(secondsSince1970: $0.revokedAt)) }
    }
}

extension AuthorityReport.Item {
    fileprivate init(_ item: CertificateAuthority.AuthorityStatus.Item) {
        self.init(
            subject: item.subject, serial: item.serial, fingerprint: item.fingerprint,
            notBefore: Timestamp(secondsSince1970: item.notBefore),
            notAfter: Timestamp(secondsSince1970: item.notAfter))
    }
}

extension AuthorityReport.Rotation {
    fileprivate init(_ rotation: RootRotation) {
        self.init(
            state: rotation.state.rawValue, since: Timestamp(secondsSince1970: rotation.since),
            otherRootNeededUntil: rotation.otherRootNeededUntil.map { Timestamp(secondsSince1970: $0) },
            next: "meshnode authority rotate \(rotation.state == .begun ? "activate" : "finish")")
    }
}

extension AuthorityReport {
    /// For people.
    var text: String {
        var table = Table(["ROLE", "SUBJECT", "SERIAL", "EXPIRES"])
        for (index, root) in roots.enumerated() { table.append(row(index == 0 ? "root" : "other root", root)) }
        table.append(row("issuer", issuer))
        var text = table.text
        for root in roots { text += "root \(Printable.text(root.fingerprint)) (SHA-256)\n" }
        text += rotationText
        for revocation in revoked { text += "taken back: \(Printable.text(revocation.serial)), \(revocation.since)\n" }
        return text
    }

    private func row(_ role: String, _ item: Item) -> [String] {
        [role, item.subject, item.serial, "in \(Quantity.left(until: item.notAfter, at: time))"]
    }

    private var rotationText: String {
        guard let rotation else { return "no change of root is under way\n" }
        let what =
            rotation.state == RootRotation.State.begun.rawValue
            ? "the new root is trusted and does not sign yet" : "the new root signs, the old one is still trusted"
        var text = "change of root, \(rotation.state) since \(rotation.since): \(what)\n"
        if let end = rotation.otherRootNeededUntil {
            text += "certificates of the root that does not sign may be in use until \(end)\n"
        }
        return text + "next: \(rotation.next)\n"
    }
}
