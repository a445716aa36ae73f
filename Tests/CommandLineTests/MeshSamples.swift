@testable import Agent

extension NodeStatus {
    /// A node where all is well.
    static func healthy(_ node: String, pods: Int = 41) -> NodeStatus {
        var status = NodeStatus(time: at("14:02:10"), node: node, version: "0.1.0", isReady: true)
        status.pods = PodsStatus(enrolled: pods, captured: pods)
        status.certificates = 18
        status.validCertificates = 18
        status.configurationVersion = 4182
        status.configurationAgeSeconds = 3
        status.workerRestarts = 0
        status.residentBytes = 94 << 20
        status.traffic = TrafficStatus(
            opened: 123_000, mutualTLS: 122_994, plaintext: 6, denied: 15, failed: 0, open: 2210)
        return status
    }
}

extension ControllerFacts {
    static let healthy = ControllerFacts(
        time: at("14:02:11"), version: "0.1.0", trustDomain: "cluster.local", place: "node-a", snapshotVersion: 4182,
        snapshotAgeSeconds: 3, rootExpires: Timestamp("2027-11-03T00:00:00Z"),
        issuerExpires: Timestamp("2026-12-21T00:00:00Z"), roots: 1)
}

extension MeshStatusReport {
    /// Three nodes, all well.
    static let healthy = MeshStatusReport(
        MeshOutlook(
            time: at("14:02:11"), answeredBy: "node-a", trustDomain: "cluster.local",
            accounts: ["node-a", "node-b", "node-c"].map {
                NodeAccount(node: $0, status: .healthy($0), ageInMilliseconds: 900, isConnected: true)
            }, controller: .healthy))

    /// One node lost, one pod missing, the issuer to be renewed.
    static let degraded = {
        var lost = NodeStatus.healthy("node-c")
        lost.pods.captured = 38
        lost.configurationVersion = 4179
        lost.workerRestarts = 3
        var second = NodeStatus.healthy("node-b")
        second.pods.captured = 40
        second.pods.failed = [.init(pod: "shop/legacy-7f", reason: "no network namespace owns 10.1.2.3")]
        second.refusals = [
            .init(
                id: "72057594037927939", time: at("14:02:03"), direction: .inbound,
                source: .init(address: "10.1.1.2:4711", workload: "batch", namespace: "shop"),
                destination: .init(address: "10.1.2.9:8080", workload: "api", namespace: "pay"),
                reason: "NO_ALLOW_MATCH", policies: ["pay/only-web"])
        ]
        var facts = ControllerFacts.healthy
        facts.problems = [
            Problem(
                code: .issuerExpiresSoon, severity: .warning, object: "CA", cause: "the issuer expires in 28 days",
                tryCommand: "meshnode certificates")
        ]
        return MeshStatusReport(
            MeshOutlook(
                time: at("14:02:11"), answeredBy: "node-a", trustDomain: "cluster.local",
                accounts: [
                    NodeAccount(node: "node-c", status: lost, ageInMilliseconds: 41_900, isConnected: false),
                    NodeAccount(
                        node: "node-a", status: .healthy("node-a"), ageInMilliseconds: 0, isConnected: true),
                    NodeAccount(node: "node-b", status: second, ageInMilliseconds: 2_000, isConnected: true),
                ], controller: facts))
    }()

    /// Only this node answers.
    static let alone = MeshStatusReport(
        MeshOutlook(
            time: at("14:02:11"), answeredBy: "node-b", trustDomain: "cluster.local",
            accounts: [
                NodeAccount(node: "node-b", status: .healthy("node-b"), ageInMilliseconds: 0, isConnected: true)
            ],
            controller: nil, controllerFailure: "10.0.0.1:15012 does not answer",
            knownNodes: [.init(node: "node-a", enrolledPods: 41), .init(node: "node-b", enrolledPods: 41)]))
}

extension ExplainReport {
    private static func end(_ name: String, _ address: String, _ node: String) -> End {
        var end = End(name: name, address: address, capture: "Captured", certificate: "Valid", agent: "Ready")
        end.node = node
        return end
    }

    /// Refused, since only web may.
    static let denied = {
        var source = end("shop/batch", "10.240.1.11", "node-a")
        source.identity = "spiffe://cluster.local/ns/shop/sa/batch"
        let considered = [
            Consideration(
                policy: "istio-system/default", kind: "PeerAuthentication", action: "STRICT", scope: .mesh,
                isDryRun: false, matches: false, rule: nil, decides: false, matched: [], misses: [], notes: []),
            Consideration(
                policy: "pay/only-web", kind: "AuthorizationPolicy", action: "ALLOW", scope: .workload, isDryRun: false,
                matches: false, rule: nil, decides: false, matched: [],
                misses: [
                    Miss(
                        rule: 0, field: "from[].source.principals", wanted: "cluster.local/ns/shop/sa/web",
                        was: "cluster.local/ns/shop/sa/batch")
                ], notes: []),
        ]
        let summary = "denied, NO_ALLOW_MATCH: none of pay/only-web matches"
        return ExplainReport(
            time: at("14:02:11"), node: "node-a", configurationVersion: 4182, source: source,
            destination: "api.pay:80 (10.240.100.10:80)", answer: .denied, reason: "NO_ALLOW_MATCH", summary: summary,
            route: ["service pay/api"],
            verdicts: [
                Verdict(
                    server: end("pay/api", "10.240.2.10:8080", "node-b"), answer: .denied, reason: "NO_ALLOW_MATCH",
                    summary: summary,
                    way: "HBONE to 10.240.2.10:15008, whose certificate must say spiffe://cluster.local/ns/pay/sa/api",
                    considered: considered, audited: [], dryRun: ["pay/next would-deny"])
            ], rules: ["namespace shop: egress allow"], notes: [])
    }()
}
