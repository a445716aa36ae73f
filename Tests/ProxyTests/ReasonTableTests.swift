import Foundation
import Mesh
import Testing

/// Where each reason is shown to come about. A reason that is added to the list without a test fails here, and so does
/// a test that is renamed or goes.
@Suite struct `Every reason` {
    private static let producedBy: [Reason: String] = [
        .policyDeny: "POLICY_DENY, with all that is needed to decide it again",
        .noAllowMatch: "NO_ALLOW_MATCH if only others are allowed",
        .policyChanged: "is closed as soon as policy refuses it",
        .plaintextRefused: "in plaintext is refused under STRICT",
        .peerNotMTLS: "accepts only when its record and its certificate are there",
        .trustDomainMismatch: "TRUST_DOMAIN_MISMATCH if nobody here has roots for the peer's",
        .sanMismatch: "SAN_MISMATCH if the destination shows another identity than its own",
        .certificateExpired: "CERT_EXPIRED once the peer's certificate has",
        .certificateNotYetValid: "CERT_NOT_YET_VALID before the peer's certificate is, by more than clocks differ",
        .certificateRevoked: "CERT_REVOKED if the peer's certificate was taken back",
        .certificateUnavailable: "CERT_UNAVAILABLE if the source has no certificate",
        .notConnect: "NOT_CONNECT if it is another request",
        .badAuthority: "BAD_AUTHORITY if it does not name an address",
        .destinationMismatch: "DST_MISMATCH if it names another pod",
        .selfCall: "SELF_CALL if it names a port of the mesh",
        .notFromWaypoint: "NOT_FROM_WAYPOINT if it comes around the one that its service is bound to",
        .unknownSource: "says that its own record is missing to who connects from it",
        .unknownDestination: "refuses with a reason when its record does not come in time",
        .egressDenied: "EGRESS_DENIED to the unknown, and what is open is closed when that is decided",
        .noHealthyUpstream: "is refused if the service has no endpoint",
        .upstreamRefused: "in plaintext fails if the application does not listen",
        .upstreamTimeout: "UPSTREAM_TIMEOUT if the application's host does not answer",
        .limitConnections: "LIMIT_CONNECTIONS until one ends, and those that are open run on",
        .limitRate: "LIMIT_RATE beyond what a second may bring",
        .limitStreams: "LIMIT_STREAMS for a peer that has as many as it may, and not for another",
        .limitMemory: "LIMIT_MEMORY while the budget is used up, and what runs runs on",
        .h2Abuse: "H2_ABUSE is cut, logged and counted by kind",
        .drain: "is reset when the drain takes too long",
        .peerReset: "gives up when the client resets before the way is open",
        .internal: "INTERNAL if a tunnel cannot be watched",
    ]

    @Test(arguments: Reason.allCases)
    func `has a test that produces it`(reason: Reason) throws {
        let name = try #require(Self.producedBy[reason], "no test produces \(reason.rawValue)")
        let text = try #require(Self.sources.first { $0.contains("func `\(name)`(") }, "no test `\(name)`")
        let body = try #require(text.range(of: "func `\(name)`(").map { text[$0.upperBound...] })
        let end = body.range(of: "\n    }\n")?.lowerBound ?? body.endIndex
        #expect(body[..<end].contains(".\(reason.caseName)"), "`\(name)` does not look for \(reason.rawValue)")
    }

    /// What the files of this folder say.
    private static let sources: [String] = {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        return files.filter { $0.lastPathComponent != "ReasonTableTests.swift" }
            .compactMap { try? String(contentsOf: $0, encoding: .utf8) }
    }()
}

extension Reason {
    /// As the source calls it.
    fileprivate var caseName: String { "\(self)" }
}
