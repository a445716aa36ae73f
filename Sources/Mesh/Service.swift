package import Addressing

/// A name with virtual addresses, behind which workloads serve.
package struct Service: Hashable, Sendable {
    package var name: NamespacedName
    /// Such as `api.pay.svc.cluster.local`.
    package var hostname: String
    /// Virtual addresses; a CIDR service has longer blocks. Empty for a headless service.
    package var addresses: [IPPrefix]
    package var ports: [ServicePort]
    /// Identities that its endpoints may have besides their own; empty means only their own.
    package var subjectAltNames: [SPIFFEID]
    package var waypoint: WaypointAddress?
    package var loadBalancing: LoadBalancingPolicy
    /// Endpoints count although they are not ready (publishNotReadyAddresses).
    package var publishesNotReady: Bool
    /// Connections of one client address stay on one endpoint (sessionAffinity ClientIP).
    package var hasClientAffinity: Bool

    package init(
        name: NamespacedName, hostname: String, addresses: [IPPrefix], ports: [ServicePort],
        subjectAltNames: [SPIFFEID] = [],
        waypoint: WaypointAddress? = nil, loadBalancing: LoadBalancingPolicy = LoadBalancingPolicy(),
        publishesNotReady: Bool = false, hasClientAffinity: Bool = false
    ) {
        self.name = name
        self.hostname = hostname
        self.addresses = addresses
        self.ports = ports
        self.subjectAltNames = subjectAltNames
        self.waypoint = waypoint
        self.loadBalancing = loadBalancing
        self.publishesNotReady = publishesNotReady
        self.hasClientAffinity = hasClientAffinity
    }
}

/// One port of a service. Which port each endpoint serves it on is in the endpoint's `PortMapping`.
package struct ServicePort: Hashable, Sendable {
    package var port: UInt16
    package var name: String
    /// `appProtocol`, or what the port's name begins with (`http`, `tcp`, ...); empty if unknown.
    package var appProtocol: String

    package init(port: UInt16, name: String = "", appProtocol: String = "") {
        self.port = port
        self.name = name
        self.appProtocol = appProtocol
    }
}

/// Which endpoints are preferred: those that share more of `scopes` with the client, in that order.
package struct LoadBalancingPolicy: Hashable, Sendable {
    /// A place that client and endpoint may share.
    package enum Scope: Hashable, Sendable {
        case network
        case region
        case zone
        case subzone
        case node
        case cluster
    }

    /// What happens to endpoints that do not share every scope.
    package enum Mode: Hashable, Sendable {
        /// All endpoints alike.
        case unspecified
        /// Only endpoints that share every scope (internalTrafficPolicy Local).
        case strict
        /// Endpoints that share the most leading scopes; the rest only when those are gone.
        case failover
    }

    package var mode: Mode
    package var scopes: [Scope]

    package init(mode: Mode = .unspecified, scopes: [Scope] = []) {
        self.mode = mode
        self.scopes = scopes
    }
}
