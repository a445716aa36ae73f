// swift-format-ignore-file: NeverForceUnwrap
// A value that a test spells wrongly ends the test run.

import Addressing
import Keeper
import Mesh
import Telemetry
import TestSupport
import Testing

@testable import Agent
@testable import Identity

private let td = TrustDomain("cluster.local")!
private let noon = Timestamp("2026-11-22T12:00:00Z")!

private func pod(
    _ namespace: String, _ name: String, _ address: String, node: String = "node-a", isEnrolled: Bool = true,
    services: [String] = [], isHealthy: Bool = true, account: String? = nil
) -> Workload {
    Workload(
        uid: WorkloadUID(cluster: "Kubernetes", podNamespace: namespace, podName: name), name: name,
        namespace: namespace, serviceAccount: account ?? name, trustDomain: td, node: node, addresses: [ip(address)],
        tunnelProtocol: isEnrolled ? .hbone : .none, isHealthy: isHealthy,
        owner: WorkloadOwner(kind: .deployment, name: String(name.prefix { $0 != "-" })),
        services: Dictionary(
            uniqueKeysWithValues: services.map {
                (NamespacedName(namespace: namespace, name: $0), [PortMapping(servicePort: 80, targetPort: 8080)])
            }))
}

private func policy(
    _ name: String, _ action: AuthorizationPolicy.Action, principal: String? = nil, isDryRun: Bool = false
) -> MeshChange {
    var match = AuthorizationMatch()
    match.principals = principal.map { [StringMatch(policyText: $0)] } ?? []
    let clauses = principal == nil ? [] : [AuthorizationClause(kind: .from, matches: [match])]
    return .policyUpserted(
        AuthorizationPolicy(
            name: NamespacedName(namespace: "pay", name: name), scope: .namespace, action: action,
            rules: [AuthorizationRule(clauses: clauses)], isDryRun: isDryRun))
}

private let mesh: [MeshChange] =
    [
        pod("shop", "web", "10.0.0.1"), pod("shop", "batch", "10.0.0.2"),
        pod("pay", "api", "10.0.1.1", node: "node-b", services: ["api"]),
        pod("pay", "db-1", "10.0.1.2", node: "node-b"), pod("pay", "db-2", "10.0.1.3", node: "node-b"),
        pod("old", "legacy", "10.0.2.1", isEnrolled: false),
    ]
    .map { .workloadUpserted($0) } + [
        .serviceUpserted(
            Service(
                name: NamespacedName(namespace: "pay", name: "api"), hostname: "api.pay.svc.cluster.local",
                addresses: [IPPrefix("10.9.0.1/32")!], ports: [ServicePort(port: 80)])),
        policy("only-web", .allow, principal: "cluster.local/ns/shop/sa/web"),
    ]

private func explainer(_ more: [MeshChange] = [], nodes: [MeshStatusReport.Node] = []) -> Explainer {
    let statuses = ["web", "batch"].map { name in
        let identity = SPIFFEID(trustDomain: td, namespace: "shop", serviceAccount: name)
        return (
            identity,
            CertificateStatus(
                identity: identity, state: .valid, notBefore: 0, notAfter: 1, serial: "1", nextRequest: nil,
                lastError: nil)
        )
    }
    let pods = ["web", "batch"].map { name in
        let uid = WorkloadUID(cluster: "Kubernetes", podNamespace: "shop", podName: name)
        return (uid, PodReport(uid: uid, state: .captured))
    }
    return Explainer(
        snapshot: MeshSnapshot(mesh + more),
        states: EndStates(
            node: "node-a", isReady: true, pods: Dictionary(uniqueKeysWithValues: pods),
            certificates: Dictionary(uniqueKeysWithValues: statuses), nodes: nodes), time: noon, configurationVersion: 7
    )
}

private func ask(_ source: String, _ destination: String, plaintext: Bool = false, _ more: [MeshChange] = []) throws
    -> ExplainReport
{
    try explainer(more).answer(source: source, destination: destination, asPlaintext: plaintext)
}

@Suite struct `Explain` {
    @Test(arguments: [
        "pay/api:8080", "10.0.1.1:8080", "api.pay:80", "api.pay.svc:80", "api.pay.svc.cluster.local:80", "10.9.0.1:80",
        "pay/api:80",
    ])
    func `allows what the policy allows, however it is spelled`(destination: String) throws {
        let report = try ask("shop/web", destination)
        #expect(report.answer == .allowed)
        #expect(report.summary == "allowed by pay/only-web rule 0")
        #expect(report.verdicts.count == 1)
        #expect(report.verdicts[0].server.name == "pay/api")
        #expect(report.verdicts[0].way.hasPrefix("HBONE to 10.0.1.1:15008"))
        #expect(report.source.identity == "spiffe://cluster.local/ns/shop/sa/web")
        #expect(report.source.capture == "Captured" && report.source.certificate == "Valid")
    }

    @Test func `names the policy and the field that missed`() throws {
        let report = try ask("10.0.0.2", "api.pay:80")
        #expect(report.answer == .denied)
        #expect(report.reason == "NO_ALLOW_MATCH")
        let considered = report.verdicts[0].considered
        #expect(considered.map(\.policy) == ["pay/only-web"])
        #expect(
            considered[0].misses == [
                .init(
                    rule: 0, field: "from[].source.principals", wanted: "cluster.local/ns/shop/sa/web",
                    was: "cluster.local/ns/shop/sa/batch")
            ])
    }

    @Test func `asks policies in the order of the authorizer`() throws {
        let report = try ask(
            "shop/web", "pay/api:8080",
            [policy("a-log", .audit), policy("z-never", .deny, principal: "x"), policy("dry", .deny, isDryRun: true)])
        #expect(report.answer == .allowed)
        #expect(report.verdicts[0].considered.map(\.policy) == ["pay/dry", "pay/z-never", "pay/only-web", "pay/a-log"])
        #expect(report.verdicts[0].considered.map(\.decides) == [false, false, true, false])
        #expect(report.verdicts[0].audited == ["pay/a-log"])
        #expect(report.verdicts[0].dryRun == ["pay/dry would-deny"])
    }

    @Test func `asks as a client without identity`() throws {
        let report = try ask("shop/web", "pay/api:8080", plaintext: true)
        #expect(report.answer == .denied)
        #expect(report.source.identity == nil)
        #expect(report.verdicts[0].way == "plaintext: asked as a client without identity")
        #expect(report.verdicts[0].considered[0].misses[0].was == "no identity")
    }

    @Test(arguments: ["old/legacy", "192.0.2.7"])
    func `knows that a client outside the mesh has none`(source: String) throws {
        let report = try ask(source, "pay/api:8080")
        #expect(report.answer == .denied)
        #expect(report.source.identity == nil)
        #expect(report.route.first?.contains("not in the mesh") == true)
    }

    @Test func `does not claim that anything is enforced outside the mesh`() throws {
        let report = try ask("shop/web", "old/legacy:80")
        #expect(report.answer == .allowed)
        #expect(report.summary.contains("not in the mesh, so no policy is enforced there"))
        #expect(report.verdicts[0].server.capture == "NotEnrolled")
        let unknown = try ask("shop/web", "192.0.2.7:443")
        #expect(unknown.answer == .allowed && unknown.verdicts.isEmpty)
        #expect(unknown.route.joined().contains("passed through as it is"))
    }

    @Test func `says where the source already refuses`() throws {
        #expect(try ask("shop/web", "api.pay:81").reason == "NO_HEALTHY_UPSTREAM")
        #expect(try ask("shop/web", "pay/api:15008").reason == "SELF_CALL")
        let strict = MeshChange.namespacePolicyUpserted(namespace: "shop", NamespacePolicy(egress: .registryOnly))
        let report = try ask("shop/web", "192.0.2.7:443", [strict])
        #expect(report.reason == "EGRESS_DENIED")
        #expect(report.rules.first == "namespace shop: egress registryOnly")
    }

    @Test func `asks every endpoint, and says if they differ`() throws {
        let second = pod("pay", "api-2", "10.0.1.9", node: "node-b", services: ["api"])
        var match = AuthorizationMatch()
        match.destinationIPs = [IPPrefix("10.0.1.9/32")!]
        let deny = MeshChange.policyUpserted(
            AuthorizationPolicy(
                name: NamespacedName(namespace: "pay", name: "not-there"), scope: .namespace, action: .deny,
                rules: [AuthorizationRule(clauses: [AuthorizationClause(kind: .to, matches: [match])])]))
        let report = try ask("shop/web", "api.pay:80", [.workloadUpserted(second), deny])
        #expect(report.answer == .denied)
        #expect(Set(report.verdicts.map(\.server.name)) == ["pay/api", "pay/api-2"])
        #expect(report.notes.contains { $0.hasPrefix("1 of 2 endpoints refuse it") })
    }

    @Test func `does not allow what has no certificate`() throws {
        var explainer = explainer()
        explainer.states.certificates = [:]
        let report = try explainer.answer(source: "shop/web", destination: "pay/api:8080", asPlaintext: false)
        #expect(report.answer == .denied)
        #expect(report.reason == "CERT_UNAVAILABLE")
        #expect(report.summary.contains("the certificate of shop/web is missing"))
    }

    @Test func `tells a certificate that ran out from one that never was`() throws {
        var explainer = explainer()
        let web = try #require(explainer.states.certificates.keys.first { $0.description.hasSuffix("/sa/web") })
        explainer.states.certificates[web] = CertificateStatus(
            identity: web, state: .unavailable, notBefore: nil, notAfter: nil, serial: nil, nextRequest: nil,
            lastError: "the CA does not answer")
        explainer.states.expired = [web]
        let report = try explainer.answer(source: "shop/web", destination: "pay/api:8080", asPlaintext: false)
        #expect(report.answer == .denied)
        #expect(report.reason == "CERT_EXPIRED")
        #expect(report.summary.contains("the certificate of shop/web is expired"))
    }

    @Test func `knows the other node as far as it reported`() throws {
        #expect(try ask("shop/web", "pay/api:8080").verdicts[0].server.agent == "?")
        var node = MeshStatusReport.Node(name: "node-b", state: .lost)
        var report = try explainer(nodes: [node]).answer(
            source: "shop/web", destination: "pay/api:8080", asPlaintext: false)
        #expect(report.verdicts[0].server.agent == "Lost")
        #expect(report.verdicts[0].server.capture == "?")
        #expect(report.notes.contains { $0.hasPrefix("the agent of node-b is Lost") })
        node.state = .ready
        node.certificates = 1
        node.validCertificates = 1
        report = try explainer(nodes: [node]).answer(
            source: "shop/web", destination: "pay/api:8080", asPlaintext: false)
        #expect(report.verdicts[0].server.capture == "Captured" && report.verdicts[0].server.certificate == "Valid")
    }

    @Test(arguments: [
        ("shop/wbe", "pay/api:80", "no pod shop/wbe; did you mean shop/web?"),
        ("shpo/web", "pay/api:80", "no pod shpo/web, but shop/web"),
        ("shpo/x", "pay/api:80", "no pod is known in namespace shpo; did you mean shop/...?"),
        ("pay/db", "pay/api:80", "'pay/db' is ambiguous: pay/db-1, pay/db-2; write one of them"),
        ("shop/web", "pay/api", "'pay/api' has no port (known: 8080): write pay/api:8080"),
        ("shop/web", "api.pay", "'api.pay' has no port (known: 80): write api.pay:80"),
        (
            "shop/web", "apy.pay:80",
            "no service apy.pay is known; did you mean api.pay?; a pod is written namespace/pod:port"
        ),
        ("shop/web", "pay/api:0", "'0' is no port: write a number from 1 through 65535 behind the colon"),
        ("shop/web", "pay/api:99999", "'99999' is no port: write a number from 1 through 65535 behind the colon"),
        (
            "a/b/c", "pay/api:80",
            "'a/b/c' is no end of a connection: write namespace/pod, service.namespace or an address"
        ),
        ("", "pay/api:80", "an end of the connection is missing"),
        ("nobody", "pay/api:80", "'nobody' is no pod: write namespace/pod, or name the namespace with -n"),
    ])
    func `tells what is wrong with a question`(source: String, destination: String, message: String) {
        let error = #expect(throws: ExplainError.self) { try ask(source, destination) }
        #expect(error?.description == message)
    }

    @Test func `takes a Deployment's name for its only pod, and says so`() throws {
        let report = try ask("shop/web", "pay/api:8080", [.workloadUpserted(pod("pay", "cron-x7", "10.0.1.8"))])
        #expect(report.notes == ["pay/api is taken as the pod; the service is api.pay"])
        let made = try ask("pay/cron", "pay/api:8080", [.workloadUpserted(pod("pay", "cron-x7", "10.0.1.8"))])
        #expect(made.source.name == "pay/cron-x7")
        #expect(made.notes.first == "pay/cron is taken as its pod cron-x7")
    }
}

@Suite struct `Explain of a refused connection` {
    private func record(_ source: String = "batch") -> ConnectionRecord {
        let identity = SPIFFEID(trustDomain: td, namespace: "shop", serviceAccount: source)
        var record = ConnectionRecord(
            id: 9, direction: .inbound, security: .mutualTLS,
            source: PeerFacts(
                address: socketAddress("10.0.0.2:4711"), workload: pod("shop", "batch", "10.0.0.2"), identity: identity),
            destination: PeerFacts(
                address: socketAddress("10.0.1.1:8080"), workload: pod("pay", "api", "10.0.1.1"), identity: nil),
            openedAt: Moment(instant: .now, secondsSince1970: 100))
        record.reason = .noAllowMatch
        record.policy = NamespacedName(namespace: "pay", name: "only-web")
        record.facts = ConnectionFacts(
            source: identity, sourceAddress: ip("10.0.0.2"), destinationAddress: ip("10.0.1.1"), destinationPort: 8080)
        return record
    }

    @Test func `is still refused under the same policies`() {
        let report = explainer().answer(record())
        #expect(report.answer == .denied)
        #expect(report.reason == "NO_ALLOW_MATCH")
        #expect(report.earlier?.changes == [])
        #expect(report.earlier?.connection.facts?.source == "spiffe://cluster.local/ns/shop/sa/batch")
    }

    @Test func `says when it would be allowed by now`() {
        let report = explainer([policy("batch-too", .allow, principal: "*/sa/batch")]).answer(record())
        #expect(report.answer == .allowed)
        #expect(report.earlier?.changes == ["refused then with NO_ALLOW_MATCH; now it would be allowed"])
    }

    @Test func `says when its server or its policy is gone`() {
        let uid = WorkloadUID(cluster: "Kubernetes", podNamespace: "pay", podName: "api")
        let report = explainer([
            .workloadRemoved(uid), .policyRemoved(NamespacedName(namespace: "pay", name: "only-web")),
        ])
        .answer(record())
        #expect(report.summary == "cannot be asked again: the server is gone")
        #expect(report.earlier?.changes.contains("policy pay/only-web is gone") == true)
    }
}
