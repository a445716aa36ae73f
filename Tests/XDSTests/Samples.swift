// swift-format-ignore-file: NeverForceUnwrap
// A value that a test spells wrongly ends the test run.

import Addressing
import Mesh
import TestSupport

@testable import XDS

/// Values in which every field differs from its default, so that a field that is lost shows.
enum Samples {
    static func prefix(_ text: String) -> IPPrefix { IPPrefix(text)! }
    static func identity(_ uri: String) -> SPIFFEID { SPIFFEID(uri: uri)! }

    static var workload: Workload {
        Workload(
            uid: WorkloadUID(cluster: "c1", podNamespace: "pay", podName: "api-7"), name: "api-7", namespace: "pay",
            serviceAccount: "robot", trustDomain: TrustDomain("example.org")!, cluster: "c1", node: "n1",
            addresses: [ip("10.0.0.7"), ip("fd00::7")], isHostNetwork: true, tunnelProtocol: .hbone, isHealthy: false,
            locality: Locality(region: "r", zone: "z", subzone: "s"), owner: WorkloadOwner(kind: .cronjob, name: "api"),
            canonicalName: "cn", canonicalRevision: "v2",
            services: [
                NamespacedName(namespace: "pay", name: "api"): [
                    PortMapping(servicePort: 80, targetPort: 8080), PortMapping(servicePort: 443, targetPort: 8443),
                ],
                NamespacedName(namespace: "pay", name: "db.example.com"): [],
            ],
            policies: [NamespacedName(namespace: "pay", name: "p1"), NamespacedName(namespace: "pay", name: "p2")],
            waypoint: WaypointAddress(
                destination: .service(NamespacedName(namespace: "infra", name: "wp")), hbonePort: 15010),
            waypointExceptions: WaypointExceptions(
                ports: [9090, 1], serviceAccounts: [NamespacedName(namespace: "mon", name: "prom")]),
            capacity: 7)
    }

    static var service: Service {
        Service(
            name: NamespacedName(namespace: "pay", name: "api"), hostname: "api.pay.svc.cluster.local",
            addresses: [prefix("10.96.0.1"), prefix("fd00:96::1")],
            ports: [
                ServicePort(port: 80, name: "http-web", appProtocol: "http"), ServicePort(port: 5432),
                ServicePort(port: 9000, name: "grpc"),
            ],
            subjectAltNames: [identity("spiffe://example.org/ns/pay/sa/robot")],
            waypoint: WaypointAddress(destination: .address(ip("10.9.9.9")), hbonePort: 15008),
            loadBalancing: LoadBalancingPolicy(
                mode: .failover, scopes: [.network, .region, .zone, .subzone, .node, .cluster]),
            publishesNotReady: true, hasClientAffinity: true)
    }

    static var policy: AuthorizationPolicy {
        var match = AuthorizationMatch()
        match.principals = [.exact("td/ns/a/sa/b"), .prefix("td/"), .suffix("/b"), .presence]
        match.notPrincipals = [.exact("td/ns/x/sa/y")]
        match.namespaces = [.prefix("pro")]
        match.notNamespaces = [.suffix("test")]
        match.serviceAccounts = [NamespacedName(namespace: "a", name: "b")]
        match.notServiceAccounts = [NamespacedName(namespace: "c", name: "d")]
        match.sourceIPs = [prefix("10.0.0.0/8")]
        match.notSourceIPs = [prefix("10.1.0.0/16")]
        match.destinationIPs = [prefix("fd00::/64")]
        match.notDestinationIPs = [prefix("fd00::1")]
        match.destinationPorts = [80, 65535]
        match.notDestinationPorts = [22]
        var other = AuthorizationMatch()
        other.destinationPorts = [1]
        return AuthorizationPolicy(
            name: NamespacedName(namespace: "pay", name: "p1"), scope: .workload, action: .deny,
            rules: [
                AuthorizationRule(clauses: [
                    AuthorizationClause(kind: .from, matches: [match, other]),
                    AuthorizationClause(kind: .to, matches: [other]),
                    AuthorizationClause(kind: .when, matches: [match]),
                ]),
                AuthorizationRule(clauses: []),
            ],
            isDryRun: true, origin: .peerAuthentication,
            httpParts: [
                HTTPPart(rule: 0, isDropped: false, fields: ["to[].operation.paths", "to[].operation.methods"]),
                HTTPPart(rule: 2, isDropped: true, fields: ["when[].key"]),
            ])
    }

    static var pod: EnrolledPod {
        EnrolledPod(
            uid: WorkloadUID("c//Pod/pay/api-7"), namespace: "pay", name: "api-7",
            podUID: "0b2c5cb4-4f8a-4e0e-9b4b-1d9f3c2a7e55", addresses: [ip("10.0.0.7"), ip("fd00::7")],
            excludedInboundPorts: [1, 65535],
            excludedOutboundPrefixes: [prefix("10.0.0.0/8"), prefix("fd00::/64")], excludedOutboundPorts: [53],
            isStrict: true, bypassesInbound: true)
    }

    static var namespacePolicy: NamespacePolicy {
        NamespacePolicy(
            egress: .registryOnly,
            limits: ConnectionLimits(connectionsPerWorkload: 1, newConnectionsPerSecond: .max, streamsPerPeer: 200))
    }

    static func workload(_ number: Int, node: String = "n1") -> Workload {
        Workload(
            uid: WorkloadUID("c//Pod/ns/w\(number)"), name: "w\(number)", namespace: "ns",
            trustDomain: TrustDomain("cluster.local")!, node: node, addresses: [ip("10.1.0.\(number)")])
    }

    static func policy(_ name: String, dryRun: Bool = false) -> AuthorizationPolicy {
        AuthorizationPolicy(
            name: NamespacedName(namespace: "ns", name: name), scope: .namespace, action: .deny,
            rules: [AuthorizationRule(clauses: [])], isDryRun: dryRun)
    }
}
