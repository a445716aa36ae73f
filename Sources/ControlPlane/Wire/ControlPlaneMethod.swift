internal import GRPCCore
internal import XDS

/// The calls between nodes and the mesh's controller, as deploy/proto has them.
enum ControlPlaneMethod {
    static let discovery = MethodDescriptor(
        fullyQualifiedService: "envoy.service.discovery.v3.AggregatedDiscoveryService",
        method: "DeltaAggregatedResources")
    static let certificate = MethodDescriptor(
        fullyQualifiedService: "istio.v1.auth.IstioCertificateService", method: "CreateCertificate")
    static let join = node("Join")
    static let renew = node("Renew")
    static let session = node("Session")

    private static func node(_ method: String) -> MethodDescriptor {
        MethodDescriptor(fullyQualifiedService: "meshnode.wire.NodeService", method: method)
    }
}

/// Bounds of what is said, in bytes.
enum ControlPlaneLimit {
    /// What a node may send at once: room for the names and versions of some 170,000 resources, by which it says after a
    /// break what it knows.
    static let messageFromNode = 16 << 20
    /// What a controller may send at once: as much as over the socket of a node.
    static let messageFromController = FrameCodec.maximumLength
}
