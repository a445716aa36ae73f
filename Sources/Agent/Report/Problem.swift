/// One thing that is not as it should be, told so that a person can act on it.
package struct Problem: Codable, Sendable, Equatable {
    /// How much it matters: an error degrades the mesh, a warning does not.
    package enum Severity: String, Codable, Sendable, Equatable {
        case error
        case warning
    }

    /// The stable code; docs/problems.md has a section for each.
    package var code: ProblemCode
    /// Whether it degrades the mesh.
    package var severity: Severity
    /// What it is about: a node, `namespace/pod`, a policy, a file.
    package var object: String
    /// What is wrong, in a few words.
    package var cause: String
    /// What it does to traffic, in a few words; empty if nothing.
    package var effect: String
    /// One command that shows more or mends it; empty if there is none.
    package var tryCommand: String
    /// The nodes that tell of it, if more than one does: then it is told once for all of them.
    package var nodes: [String]?

    package init(
        code: ProblemCode, severity: Severity, object: String, cause: String, effect: String = "",
        tryCommand: String = ""
    ) {
        self.code = code
        self.severity = severity
        self.object = object
        self.cause = cause
        self.effect = effect
        self.tryCommand = tryCommand
    }
}

/// The stable code of a problem, `MN` and four digits. A code that this build does not know is kept as it is, so that
/// an older command line can read a newer agent.
package struct ProblemCode: RawRepresentable, Hashable, Codable, Sendable, CustomStringConvertible {
    /// `MN` and four digits.
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }

    package var description: String { rawValue }
}

// 1xxx: what the operator wrote. 2xxx: processes. 3xxx: capture. 4xxx: certificates. 5xxx: traffic.
extension ProblemCode {
    /// A manifest cannot be taken; the last good state of its objects stays in force.
    package static let manifestRefused = Self(rawValue: "MN1001")
    /// A manifest is taken, but does not do all that it says.
    package static let manifestDoubtful = Self(rawValue: "MN1002")
    /// A manifest has a field that nothing reads.
    package static let fieldUnknown = Self(rawValue: "MN1003")
    /// A manifest is of a kind that nothing reads.
    package static let kindUnknown = Self(rawValue: "MN1004")
    /// A policy asks for what only a waypoint can do; without one it is enforced more strictly than written.
    package static let policyNeedsWaypoint = Self(rawValue: "MN1005")
    /// A policy has fields that need HTTP, and there is no waypoint that could look at them.
    package static let waypointMissing = Self(rawValue: "MN1006")
    /// Pods stay out of the mesh against what their manifests seem to mean.
    package static let enrolmentDoubtful = Self(rawValue: "MN1007")
    /// An object is not in force, because another one overrules it.
    package static let objectOverruled = Self(rawValue: "MN1008")

    /// The worker has been restarted within the last minutes.
    package static let workerRestarted = Self(rawValue: "MN2002")
    /// An agent has not reported for 15 seconds or longer.
    package static let nodeLost = Self(rawValue: "MN2003")
    /// The controller is not running; the last configuration stays in force.
    package static let controllerDown = Self(rawValue: "MN2004")
    /// The first configuration has not arrived; captured connections are refused.
    package static let configurationMissing = Self(rawValue: "MN2005")
    /// The mesh's controller does not answer, so only this node is known for sure.
    package static let controllerUnreachable = Self(rawValue: "MN2006")
    /// The worker is down at this moment, and the keeper starts another.
    package static let workerRestarting = Self(rawValue: "MN2007")
    /// An agent hands over to its successor.
    package static let handOverUnderWay = Self(rawValue: "MN2008")
    /// A node has not got a change that the controller made some time ago.
    package static let configurationBehind = Self(rawValue: "MN2009")

    /// No network namespace owns the pod's address.
    package static let namespaceNotFound = Self(rawValue: "MN3001")
    /// The kernel refused the pod's rules.
    package static let captureRefused = Self(rawValue: "MN3002")
    /// Somebody changed a pod's rules; they were repaired.
    package static let captureRepaired = Self(rawValue: "MN3003")
    /// The agent exempts itself by packet mark, because cgroup v2 is missing.
    package static let exemptionByMark = Self(rawValue: "MN3004")
    /// Connections from before enrolment are still open, in plaintext.
    package static let connectionsBeforeEnrolment = Self(rawValue: "MN3005")
    /// A pod is labelled for the mesh and can never be captured.
    package static let podNeverCaptured = Self(rawValue: "MN3011")

    /// No certificate for an identity; its connections are refused.
    package static let certificateUnavailable = Self(rawValue: "MN4001")
    /// A certificate has expired.
    package static let certificateExpired = Self(rawValue: "MN4002")
    /// A certificate is past half its life and could not be renewed.
    package static let renewalFailing = Self(rawValue: "MN4003")
    /// The root of the authority is being changed.
    package static let rotationUnderWay = Self(rawValue: "MN4004")
    /// The clocks of a node and of the controller differ.
    package static let clockSkew = Self(rawValue: "MN4005")
    /// The issuer's certificate expires within 30 days.
    package static let issuerExpiresSoon = Self(rawValue: "MN4007")

    /// A service has no healthy endpoint; connections to it fail.
    package static let serviceWithoutEndpoints = Self(rawValue: "MN5001")
    /// Captured pods took connections in plaintext, because their policy lets them.
    package static let plaintextByPolicy = Self(rawValue: "MN5002")
    /// A policy in dry run would refuse connections that are there.
    package static let dryRunWouldDeny = Self(rawValue: "MN5003")
}

/// What is wrong in a manifest, and where.
package struct ManifestProblem: Codable, Sendable, Equatable {
    /// `MN1001` for an error; for a warning the code of what it is about, `MN1002` if there is none.
    package var code: ProblemCode
    /// Path of the file.
    package var file: String
    /// Line in the file, from 1; nil if the whole file is meant.
    package var line: Int?
    /// Path of the field, such as `spec.rules[0].from`; empty if none is meant.
    package var field: String
    /// The object, as `Kind namespace/name`; empty if it could not be read so far.
    package var object: String
    /// What is wrong with it.
    package var reason: String
    /// An error keeps the object's last good state in force; a warning does not stop the object.
    package var severity: Problem.Severity

    package init(
        file: String, line: Int?, field: String = "", object: String = "", reason: String, severity: Problem.Severity,
        doubt: ProblemCode = .manifestDoubtful
    ) {
        code = severity == .error ? .manifestRefused : doubt
        self.file = file
        self.line = line
        self.field = field
        self.object = object
        self.reason = reason
        self.severity = severity
    }
}
