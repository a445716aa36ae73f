/// What a controller tells of itself: the `controllerJSON` of a mesh report, and what its own socket answers from.
package struct ControllerFacts: Codable, Sendable, Equatable {
    /// Where a change of the authority's root stands.
    package enum Rotation: String, Codable, Sendable, Equatable {
        /// One root, used by all.
        case settled = "None"
        /// The next root is trusted beside the present one, and does not sign yet.
        case trusting = "Trusting"
        /// The next root signs; the old one is still trusted.
        case signing = "Signing"
    }

    /// A node that the manifests want pods captured on.
    package struct ExpectedNode: Codable, Sendable, Equatable {
        /// Its name.
        package var node: String
        /// Pods that are to be captured there.
        package var enrolledPods: Int

        package init(node: String, enrolledPods: Int) {
            self.node = node
            self.enrolledPods = enrolledPods
        }
    }

    /// When this was true, by the controller's clock.
    package var time: Timestamp
    /// Version of the controller.
    package var version: String
    /// The mesh's own trust domain.
    package var trustDomain: String
    /// Where it runs: the node, or the address.
    package var place: String
    /// Version of the snapshot; nil before the first.
    package var snapshotVersion: UInt64?
    /// Age of its last change, in seconds.
    package var snapshotAgeSeconds: Int64?
    /// When the first root of the bundle expires.
    package var rootExpires: Timestamp?
    /// When the issuing certificate expires.
    package var issuerExpires: Timestamp?
    /// Roots in the trust bundle.
    package var roots: Int?
    /// Where a change of the root stands.
    package var rotation: Rotation
    /// Why certificates cannot be signed; empty if they can.
    package var authorityFailure: String
    /// Nodes that are to report, by the manifests; one that never did is told.
    package var expectedNodes: [ExpectedNode]
    /// What is wrong with the controller itself.
    package var problems: [Problem]
    /// What is wrong in the manifests.
    package var manifestProblems: [ManifestProblem]

    package init(
        time: Timestamp, version: String = MeshnodeVersion.current, trustDomain: String, place: String,
        snapshotVersion: UInt64? = nil, snapshotAgeSeconds: Int64? = nil, rootExpires: Timestamp? = nil,
        issuerExpires: Timestamp? = nil, roots: Int? = nil, rotation: Rotation = .settled,
        authorityFailure: String = "",
        expectedNodes: [ExpectedNode] = [], problems: [Problem] = [], manifestProblems: [ManifestProblem] = []
    ) {
        self.time = time
        self.version = version
        self.trustDomain = trustDomain
        self.place = place
        self.snapshotVersion = snapshotVersion
        self.snapshotAgeSeconds = snapshotAgeSeconds
        self.rootExpires = rootExpires
        self.issuerExpires = issuerExpires
        self.roots = roots
        self.rotation = rotation
        self.authorityFailure = authorityFailure
        self.expectedNodes = expectedNodes
        self.problems = problems
        self.manifestProblems = manifestProblems
    }
}
