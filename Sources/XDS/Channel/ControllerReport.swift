/// What the controller has to say about its input and its authority; each report replaces the one before it.
package struct ControllerReport: Hashable, Sendable {
    /// Something wrong in a manifest.
    package struct Problem: Hashable, Sendable {
        /// How much it matters.
        package enum Severity: Hashable, Sendable {
            /// Taken, but not quite as written.
            case warning
            /// The object's last good state, or none, stays in force.
            case error
        }

        /// What a warning is about.
        package enum Topic: Hashable, Sendable, CaseIterable {
            case other
            /// A field that nothing reads.
            case unknownField
            /// An object of a kind that nothing reads.
            case unknownKind
            /// Pods that stay out of the mesh against what seems to be meant.
            case notEnrolled
            /// An object that another one overrules.
            case overruled
        }

        /// Path of the file.
        package var file: String
        /// Line in the file, from 1; nil if the whole file is meant.
        package var line: Int?
        /// Path of the field, such as `spec.rules[0].from`; empty if none is meant.
        package var field: String
        /// What is wrong.
        package var reason: String
        /// How much it matters.
        package var severity: Severity
        /// `Kind namespace/name`; empty if it could not be read so far.
        package var object: String
        /// What it is about.
        package var topic: Topic

        package init(
            file: String, line: Int? = nil, field: String = "", reason: String, severity: Severity, object: String = "",
            topic: Topic = .other
        ) {
            self.file = file
            self.line = line
            self.field = field
            self.reason = reason
            self.severity = severity
            self.object = object
            self.topic = topic
        }
    }

    /// A certificate of the authority.
    package struct AuthorityCertificate: Hashable, Sendable {
        /// What it is for.
        package enum Role: Hashable, Sendable {
            case root
            case issuer
        }

        /// What it is for.
        package var role: Role
        /// Its common name.
        package var subject: String
        /// Its serial number, hexadecimal.
        package var serial: String
        /// First second of validity, since 1970.
        package var notBefore: Int64
        /// Last second of validity, since 1970.
        package var notAfter: Int64

        package init(role: Role, subject: String, serial: String, notBefore: Int64, notAfter: Int64) {
            self.role = role
            self.subject = subject
            self.serial = serial
            self.notBefore = notBefore
            self.notAfter = notAfter
        }
    }

    /// Version of the snapshot that the manifests gave; empty if there is none yet.
    package var snapshotVersion: String
    /// What is wrong in the manifests, in the order of files and lines.
    package var problems: [Problem]
    /// Roots and issuer.
    package var authority: [AuthorityCertificate]
    /// Every root that is trusted now, PEM, so that a change of roots need not wait for the next certificate; empty if it
    /// is not told.
    package var trustBundlePEM: String
    /// Serial numbers of certificates that count no longer: hexadecimal, lower case.
    package var revokedSerials: [String]
    /// Why the mesh's controller cannot be reached from this node; empty if it can. Filled in on the node.
    package var linkTrouble: String

    package init(
        snapshotVersion: String = "", problems: [Problem] = [], authority: [AuthorityCertificate] = [],
        trustBundlePEM: String = "", revokedSerials: [String] = [],
        linkTrouble: String = ""
    ) {
        self.snapshotVersion = snapshotVersion
        self.problems = problems
        self.authority = authority
        self.trustBundlePEM = trustBundlePEM
        self.revokedSerials = revokedSerials
        self.linkTrouble = linkTrouble
    }
}
