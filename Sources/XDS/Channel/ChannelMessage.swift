package import Mesh

/// What the worker and the controller of a node say to each other.
package enum ChannelMessage: Hashable, Sendable {
    /// Worker to controller.
    case discoveryRequest(DeltaRequest)
    /// Controller to worker.
    case discoveryResponse(DeltaResponse)
    /// Worker to controller.
    case certificateRequest(CertificateRequest)
    /// Controller to worker.
    case certificateResponse(CertificateResponse)
    /// Controller to worker.
    case controllerReport(ControllerReport)
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
