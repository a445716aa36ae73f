package import Addressing
package import Mesh

/// A pod that is to be captured, and what of its traffic is to be left alone.
package struct EnrolledPod: Hashable, Sendable {
    package var uid: WorkloadUID
    package var namespace: String
    package var name: String
    /// As Kubernetes gives it: the kubelet names the pod's cgroup after it. Empty where there is none.
    package var podUID: String
    /// Where it is reached; empty as long as it has no address.
    package var addresses: [IPAddress]
    package var excludedInboundPorts: [UInt16]
    package var excludedOutboundPrefixes: [IPPrefix]
    package var excludedOutboundPorts: [UInt16]
    /// It refuses plaintext.
    package var isStrict: Bool
    /// What comes in is not captured.
    package var bypassesInbound: Bool

    package init(
        uid: WorkloadUID, namespace: String, name: String, podUID: String = "", addresses: [IPAddress] = [],
        excludedInboundPorts: [UInt16] = [], excludedOutboundPrefixes: [IPPrefix] = [],
        excludedOutboundPorts: [UInt16] = [], isStrict: Bool = false, bypassesInbound: Bool = false
    ) {
        self.uid = uid
        self.namespace = namespace
        self.name = name
        self.podUID = podUID
        self.addresses = addresses
        self.excludedInboundPorts = excludedInboundPorts
        self.excludedOutboundPrefixes = excludedOutboundPrefixes
        self.excludedOutboundPorts = excludedOutboundPorts
        self.isStrict = isStrict
        self.bypassesInbound = bypassesInbound
    }
}

/// The pods that a node is to capture, and no others.
package struct NodeWishes: Hashable, Sendable {
    package var pods: [EnrolledPod]

    package init(pods: [EnrolledPod] = []) {
        self.pods = pods
    }
}

/// A pod comes up on a node: is it to be captured?
package struct PodQuestion: Hashable, Sendable {
    /// Chosen by the one who asks; the answer bears the same.
    package var id: UInt64
    package var namespace: String
    package var name: String
    /// As Kubernetes gives it; empty where the runtime does not tell.
    package var uid: String

    package init(id: UInt64, namespace: String, name: String, uid: String) {
        self.id = id
        self.namespace = namespace
        self.name = name
        self.uid = uid
    }
}

/// The answer to a `PodQuestion`.
package struct PodVerdict: Hashable, Sendable {
    /// What is to be done.
    package enum Outcome: Hashable, Sendable {
        /// It is to be captured.
        case capture(EnrolledPod)
        /// It is not part of the mesh; why, for an operator to read.
        case leave(reason: String)
        /// Nobody knows it yet; ask again. Why, for an operator to read.
        case unknown(reason: String)
    }

    /// That of the question.
    package var id: UInt64
    /// What is to be done.
    package var outcome: Outcome

    package init(id: UInt64, outcome: Outcome) {
        self.id = id
        self.outcome = outcome
    }
}
