import Mesh

/// What tells one label set of the connection metrics from another; cheaper to compare than the labels' text, which
/// is made once per set.
struct ConnectionLabels: Hashable, Sendable {
    private let direction: ConnectionRecord.Direction
    private let security: ConnectionRecord.Security
    private let source: PeerNames
    private let sourceIdentity: SPIFFEID?
    private let destination: PeerNames
    private let destinationIdentity: SPIFFEID?
    private let hostname: String
    private let serviceName: String
    private let serviceNamespace: String
    private let flag: String

    /// - Parameter reason: nil for a connection that nothing was wrong with.
    init(_ record: ConnectionRecord, reason: Reason?) {
        direction = record.direction
        security = record.security
        source = PeerNames(labelling: record.source)
        sourceIdentity = record.source.identity
        destination = PeerNames(labelling: record.destination)
        destinationIdentity = record.destination.identity
        hostname = record.hostname.map(Self.plain) ?? ""
        serviceName = (record.service?.name).map(Self.plain) ?? ""
        serviceNamespace = (record.service?.namespace).map(Self.plain) ?? ""
        flag = reason?.responseFlag(hasTunnel: record.hboneAddress != nil) ?? "-"
    }

    /// The labels, all of them, always: a missing value is `unknown`.
    var metricLabels: MetricLabels {
        var labels = [("reporter", direction == .outbound ? "source" : "destination")]
        Self.append(source, sourceIdentity, as: "source", to: &labels)
        Self.append(destination, destinationIdentity, as: "destination", to: &labels)
        labels += [
            ("destination_service", Self.known(hostname)),
            ("destination_service_name", Self.known(serviceName)),
            ("destination_service_namespace", Self.known(serviceNamespace)),
            ("request_protocol", "tcp"),
            ("response_flags", flag),
            ("connection_security_policy", security == .mutualTLS ? "mutual_tls" : "unknown"),
        ]
        return MetricLabels(labels)
    }

    private static func append(
        _ peer: PeerNames, _ identity: SPIFFEID?, as side: String, to labels: inout [(String, String)]
    ) {
        labels += [
            ("\(side)_workload", known(peer.ownerName)),
            ("\(side)_workload_namespace", known(peer.namespace)),
            ("\(side)_canonical_service", known(peer.canonicalService)),
            ("\(side)_canonical_revision", known(peer.canonicalRevision)),
            ("\(side)_principal", identity?.description ?? known("")),
            ("\(side)_app", known(peer.app)),
            ("\(side)_version", known(peer.version)),
            ("\(side)_cluster", known(peer.cluster)),
            ("\(side)_region", known(peer.locality.region)),
            ("\(side)_zone", known(peer.locality.zone)),
        ]
    }

    private static func known(_ value: String) -> String { value.isEmpty ? unknown : value }

    /// What is literally called `unknown` as unknown: two keys must never have one text.
    fileprivate static func plain(_ value: String) -> String { value == unknown ? "" : value }
}

private let unknown = "unknown"

extension PeerNames {
    /// Only what labels show of `peer`.
    fileprivate init(labelling peer: PeerFacts) {
        func plain(_ value: String) -> String { ConnectionLabels.plain(value) }
        self.init(namespace: plain(peer.namespace))
        ownerName = plain(peer.ownerName)
        canonicalService = plain(peer.canonicalService)
        canonicalRevision = plain(peer.canonicalRevision)
        app = plain(peer.app)
        version = plain(peer.version)
        cluster = plain(peer.cluster)
        locality = Locality(region: plain(peer.locality.region), zone: plain(peer.locality.zone))
    }
}

extension Reason {
    /// The `response_flags` that dashboards know for it; where they know none, the reason itself.
    ///
    /// - Parameter hasTunnel: a timeout towards a tunnel is a blocked port 15008 more often than not.
    func responseFlag(hasTunnel: Bool) -> String {
        switch self {
        case .policyDeny, .noAllowMatch, .policyChanged, .plaintextRefused, .egressDenied, .notFromWaypoint: "DENY"
        case .upstreamTimeout: hasTunnel ? "NETWORK_POLICY" : "CONNECT"
        case .upstreamRefused: "CONNECT"
        case .peerNotMTLS, .trustDomainMismatch, .sanMismatch, .certificateExpired, .certificateNotYetValid:
            "TLS_FAILURE"
        case .certificateRevoked: "CERT_REVOKED"
        case .certificateUnavailable: "IDENTITY_ERROR"
        case .notConnect, .badAuthority, .h2Abuse: "H2_HANDSHAKE_FAILURE"
        case .destinationMismatch, .selfCall, .unknownSource, .unknownDestination, .noHealthyUpstream,
            .limitConnections, .limitRate, .limitStreams, .limitMemory, .drain, .peerReset, .internal:
            rawValue
        }
    }
}
