package import Mesh

/// What the worker of a node, the controller of that node and the controller of the mesh say to each other.
///
/// "Up" is from the worker to its controller and from there to the mesh's; "down" the other way.
package enum ChannelMessage: Hashable, Sendable {
    /// Up.
    case discoveryRequest(DeltaRequest)
    /// Down.
    case discoveryResponse(DeltaResponse)
    /// Up.
    case certificateRequest(CertificateRequest)
    /// Down.
    case certificateResponse(CertificateResponse)
    /// Down.
    case controllerReport(ControllerReport)
    /// Up: what a node has to say about itself.
    case nodeReport(NodeReport)
    /// Up: asks for the reports of all nodes; the answer bears the same number.
    case meshReportRequest(id: UInt64)
    /// Down: the answer to a `meshReportRequest`.
    case meshReport(MeshReport)
    /// Down, to the controller of a node: the pods that it captures; replaces the set before it.
    case podWishes(NodeWishes)
    /// Up, from the controller of a node: is this pod, which comes up, to be captured?
    case podQuestion(PodQuestion)
    /// Down, to the controller of a node: the answer to a `podQuestion`.
    case podVerdict(PodVerdict)
}

/// A worker asks for a certificate of a pod on its node.
package struct CertificateRequest: Hashable, Sendable {
    /// Chosen by the one who asks; the response bears the same.
    package var id: UInt64
    /// The certificate signing request, PEM. Only its key counts.
    package var signingRequestPEM: String
    /// The identity that the certificate shall prove.
    package var identity: SPIFFEID
    /// Wanted lifetime in seconds; 0 for what the signer thinks right.
    package var lifetimeInSeconds: Int64

    package init(id: UInt64, signingRequestPEM: String, identity: SPIFFEID, lifetimeInSeconds: Int64 = 0) {
        self.id = id
        self.signingRequestPEM = signingRequestPEM
        self.identity = identity
        self.lifetimeInSeconds = lifetimeInSeconds
    }
}

/// The answer to a `CertificateRequest`.
package struct CertificateResponse: Hashable, Sendable {
    /// What became of the request.
    package enum Outcome: Hashable, Sendable {
        /// PEM: the leaf first, then what is between, the root bundle last (which may hold several certificates).
        case issued(chainPEM: [String])
        /// Why not, for an operator to read.
        case refused(String)
    }

    /// That of the request.
    package var id: UInt64
    /// A certificate, or why there is none.
    package var outcome: Outcome

    package init(id: UInt64, outcome: Outcome) {
        self.id = id
        self.outcome = outcome
    }
}
