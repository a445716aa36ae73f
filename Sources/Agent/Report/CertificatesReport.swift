/// The certificates that this node holds and trusts (`meshnode certificates`). Never holds a key.
package struct CertificatesReport: Report {
    package static let path = "/v1/certificates"
    package static let kind = "CertificateList"

    /// One certificate.
    package struct Item: Codable, Sendable, Equatable {
        /// What it is for.
        package enum Role: String, Codable, Sendable, Equatable {
            case root
            case issuer
            case workload
        }

        /// Whether it can be used.
        package enum State: String, Codable, Sendable, Equatable {
            case valid = "Valid"
            /// Valid, past half its life, and the last renewal failed.
            case renewalFailing = "RenewalFailing"
            case notYetValid = "NotYetValid"
            case expired = "Expired"
            /// Asked for, not received yet; it has no dates.
            case missing = "Missing"
        }

        /// What it is for.
        package var role: Role
        /// The SPIFFE ID, or the common name of a root or issuer.
        package var subject: String
        /// Serial number in hexadecimal; empty if missing.
        package var serial: String
        /// Whether it can be used.
        package var state: State
        /// First moment of validity.
        package var notBefore: Timestamp?
        /// Last moment of validity.
        package var notAfter: Timestamp?
        /// When its renewal is due.
        package var renewal: Timestamp?
        /// Pods of this node that use it.
        package var pods: Int?
        /// Why the last renewal failed; empty if it did not.
        package var reason: String

        package init(
            role: Role, subject: String, serial: String, state: State, notBefore: Timestamp? = nil,
            notAfter: Timestamp? = nil, renewal: Timestamp? = nil, pods: Int? = nil, reason: String = ""
        ) {
            self.role = role
            self.subject = subject
            self.serial = serial
            self.state = state
            self.notBefore = notBefore
            self.notAfter = notAfter
            self.renewal = renewal
            self.pods = pods
            self.reason = reason
        }
    }

    /// Always `ReportVersion.current`.
    package var apiVersion: String
    /// Always `CertificateList`.
    package var kind: String
    /// When this was true.
    package var time: Timestamp
    /// The node that answers.
    package var node: String
    /// Roots, issuers, then workloads by subject.
    package var items: [Item]

    package init(time: Timestamp, node: String, items: [Item]) {
        self.apiVersion = ReportVersion.current
        self.kind = Self.kind
        self.time = time
        self.node = node
        self.items = items
    }
}
