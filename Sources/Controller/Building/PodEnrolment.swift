package import Addressing
package import Mesh
package import Resources

/// A pod whose traffic the keeper of its node is to capture.
package struct PodEnrolment: Hashable, Sendable {
    /// The pod's `metadata.uid`; `NAMESPACE/NAME` where a file has none.
    package var podUID: String
    package var workload: WorkloadUID
    package var namespace: String
    package var name: String
    /// Empty while they are not known; addresses that another pod keeps are not among them.
    package var addresses: [IPAddress]
    package var exclusions: CaptureExclusions
    /// It refuses plaintext on every port.
    package var isStrict: Bool

    package init(
        podUID: String, workload: WorkloadUID, namespace: String, name: String, addresses: [IPAddress],
        exclusions: CaptureExclusions = CaptureExclusions(), isStrict: Bool = false
    ) {
        self.podUID = podUID
        self.workload = workload
        self.namespace = namespace
        self.name = name
        self.addresses = addresses
        self.exclusions = exclusions
        self.isStrict = isStrict
    }
}
