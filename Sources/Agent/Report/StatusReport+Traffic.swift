/// The pods of one node: how many are to be captured, and how many are.
package struct PodsStatus: Codable, Sendable, Equatable {
    /// A pod that is to be captured and is not.
    package struct Missing: Codable, Sendable, Equatable {
        /// `namespace/name`.
        package var pod: String
        /// Why it is not captured.
        package var reason: String

        package init(pod: String, reason: String) {
            self.pod = pod
            self.reason = reason
        }
    }

    /// Pods of this node that the manifests want in the mesh.
    package var enrolled: Int?
    /// Pods whose rules are in force and whose listeners are served.
    package var captured: Int?
    /// Pods that wait, such as for their namespace to appear.
    package var pending: [Missing]
    /// Pods that could not be captured.
    package var failed: [Missing]
    /// Open connections that are older than their pod's enrolment, and so in plaintext.
    package var connectionsBeforeEnrolment: Int?

    package init(
        enrolled: Int? = nil, captured: Int? = nil, pending: [Missing] = [], failed: [Missing] = [],
        connectionsBeforeEnrolment: Int? = nil
    ) {
        self.enrolled = enrolled
        self.captured = captured
        self.pending = pending
        self.failed = failed
        self.connectionsBeforeEnrolment = connectionsBeforeEnrolment
    }
}

/// What this node carried in the last minute, and what is open now.
package struct TrafficStatus: Codable, Sendable, Equatable {
    /// Seconds that the counts cover: 60, or less soon after the start.
    package var windowSeconds: Int
    /// Connections opened, both directions, refused ones not counted.
    package var opened: UInt64?
    /// Of those, carried under mutual TLS.
    package var mutualTLS: UInt64?
    /// Of those, carried in plaintext.
    package var plaintext: UInt64?
    /// Connections refused by policy.
    package var denied: UInt64?
    /// Connections that failed for another reason.
    package var failed: UInt64?
    /// Bytes from clients to servers.
    package var sentBytes: UInt64?
    /// Bytes from servers to clients.
    package var receivedBytes: UInt64?
    /// Connections open now.
    package var open: UInt64?

    package init(
        windowSeconds: Int = 60, opened: UInt64? = nil, mutualTLS: UInt64? = nil, plaintext: UInt64? = nil,
        denied: UInt64? = nil, failed: UInt64? = nil, sentBytes: UInt64? = nil, receivedBytes: UInt64? = nil,
        open: UInt64? = nil
    ) {
        self.windowSeconds = windowSeconds
        self.opened = opened
        self.mutualTLS = mutualTLS
        self.plaintext = plaintext
        self.denied = denied
        self.failed = failed
        self.sentBytes = sentBytes
        self.receivedBytes = receivedBytes
        self.open = open
    }
}
