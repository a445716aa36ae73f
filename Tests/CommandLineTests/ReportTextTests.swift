import Testing

@testable import Agent
@testable import CommandLine

private let plain = Palette(isColored: false)

@Suite struct `The status` {
    @Test func `of a mesh that is well`() {
        let text = StatusReport.healthy.text(isWide: false, elapsed: .milliseconds(412), palette: plain)
        #expect(
            text == """
                meshnode 0.1.0   trust domain cluster.local   2026-11-22T14:02:11Z   0.4s

                Mesh        OK         0 errors, 0 warnings
                Controller  OK         snapshot 4182 (3s old), embedded, /etc/mesh
                CA          OK         root expires in 345d, issuer in 28d
                Agent       Ready      node-a, 2 loops, exempt by cgroup
                Workloads   41/41      enrolled pods captured
                Traffic     1m         4.1k conn/s, 99.99% mTLS, 12 plaintext, 31 denied

                NODE    AGENT  VERSION  PODS   CONNS  CERTS  CONFIG  RESTARTS  RSS
                node-a  Ready  0.1.0    41/41  2.2k   18 ok  4182    0         34M

                Next: meshnode workloads | meshnode connections | meshnode policies

                """)
    }

    @Test func `of a mesh that is not well, names each problem and what to try`() {
        let text = StatusReport.degraded.text(isWide: false, elapsed: .milliseconds(52), palette: plain)
        #expect(
            text == """
                meshnode 0.1.0   trust domain cluster.local   2026-11-22T14:02:11Z   0.0s

                Mesh        DEGRADED   2 errors, 1 warning
                Controller  LOST       snapshot 4182 (3s old), embedded, /etc/mesh
                CA          OK         root expires in 345d, issuer in 28d
                Agent       NotReady   node-a: no certificate for shop/web, 2 loops, exempt by
                                       cgroup
                Workloads   40/41      enrolled pods captured, 1 failed
                Traffic     12s        ? conn/s, ? mTLS, ? plaintext, ? denied, ? failed

                NODE    AGENT     VERSION  PODS   CONNS  CERTS  CONFIG  RESTARTS  RSS
                node-a  NotReady  0.1.0    40/41  ?      17/18  4182    0         ?

                NOT CAPTURED
                 shop/legacy-7f: failed: no network namespace owns 10.1.2.3

                ERRORS
                 MN2004 node-a: the controller is not running; the last configuration stays in
                        force, changes wait
                        try: journalctl -u meshnode

                WARNINGS
                 MN4007 CA: issuer certificate expires in 28d
                        try: meshnode certificates

                MANIFESTS
                 MN1001 error pay.yaml:12 AuthorizationPolicy pay/api
                        spec.rules[0].from[0].source.principals: expected a list of strings,
                        found a string

                Next: meshnode workloads -o wide | meshnode connections | docs/problems.md

                """)
    }

    @Test func `of which nothing is known, claims nothing`() {
        let report = StatusReport(
            version: "0.1.0", trustDomain: "cluster.local", time: at("14:02:11"), node: "node-a", verdict: .starting)
        let text = report.text(isWide: false, elapsed: .zero, palette: plain)
        #expect(
            text == """
                meshnode 0.1.0   trust domain cluster.local   2026-11-22T14:02:11Z   0.0s

                Mesh        STARTING   0 errors, 0 warnings
                Controller  ?          no snapshot, embedded
                CA          ?          root expires ?, issuer in ?
                Agent       NotReady   node-a: <unknown>, exempt by ?
                Workloads   ?/?        enrolled pods captured
                Traffic     1m         ? conn/s, ? mTLS, ? plaintext, ? denied, ? failed

                NODE    AGENT     VERSION  PODS  CONNS  CERTS  CONFIG  RESTARTS  RSS
                node-a  NotReady  0.1.0    ?/?   ?      ?      ?       ?         ?

                Next: meshnode workloads -o wide | meshnode connections | docs/problems.md

                """)
    }

    @Test(arguments: [StatusReport.healthy, .degraded])
    func `fits 80 columns, in colour too`(report: StatusReport) {
        for isColored in [false, true] {
            let text = report.text(isWide: false, elapsed: .seconds(1), palette: Palette(isColored: isColored))
            for line in text.split(separator: "\n") {
                let bare = line.replacing(#/\u{1b}\[[0-9]+m/#, with: "")
                #expect(bare.count <= 80, "\(bare)")
            }
        }
    }

    @Test func `cannot be forged by a name`() {
        var report = StatusReport.healthy
        report.node = "node-a\nMesh        OK\u{1b}[32m"
        report.trustDomain = "\u{1b}[2J"
        let text = report.text(isWide: false, elapsed: .zero, palette: plain)
        #expect(!text.contains("\u{1b}"))
        #expect(text.split(separator: "\n").count { $0.hasPrefix("Mesh ") } == 1)
    }
}

@Suite struct `A list` {
    private let workloads = WorkloadsReport(
        time: at("14:02:11"), node: "node-a",
        items: [
            .init(
                namespace: "pay", name: "api", node: "node-b", addresses: ["10.240.2.10", "fd00:240:2::10"],
                identity: "spiffe://cluster.local/ns/pay/sa/api", protocol: "HBONE", isHealthy: true, capture: .remote,
                services: ["pay/api"], policies: ["pay/only-web"]),
            .init(
                namespace: "shop", name: "web", node: "node-a", addresses: ["10.240.1.10"],
                identity: "spiffe://cluster.local/ns/shop/sa/web", protocol: "HBONE", isHealthy: true,
                capture: .captured, connections: 3, certificateExpires: at("23:02:11")),
            .init(
                namespace: "shop", name: "late", node: "node-a", addresses: [],
                identity: "spiffe://cluster.local/ns/shop/sa/default", protocol: "TCP", isHealthy: false,
                capture: .failed, reason: "no network namespace owns 10.240.1.12"),
        ])

    private let connections = ConnectionsReport(
        time: at("14:02:11"), node: "node-b",
        live: [
            .init(
                id: "0-17", direction: .inbound,
                source: .init(
                    address: "10.240.1.10:40112", workload: "web", namespace: "shop",
                    identity: "spiffe://cluster.local/ns/shop/sa/web"),
                destination: .init(
                    address: "[fd00:240:2::10]:8080", workload: "api", namespace: "pay",
                    identity: "spiffe://cluster.local/ns/pay/sa/api"),
                service: "pay/api:80", security: .mutualTLS, opened: at("14:02:00"), sentBytes: 2_048,
                receivedBytes: 1 << 30, policy: "pay/only-web")
        ],
        refused: [
            .init(
                id: "0-18", time: at("14:02:09"), direction: .inbound,
                source: .init(
                    address: "10.240.1.11:40113", workload: "batch", namespace: "shop",
                    identity: "spiffe://cluster.local/ns/shop/sa/batch"),
                destination: .init(address: "10.240.2.10:8080", workload: "api", namespace: "pay"),
                reason: "NO_ALLOW_MATCH", policies: ["pay/only-web"],
                detail: "rule 0: principals: cluster.local/ns/shop/sa/batch"),
            .init(
                id: "0-19", time: at("14:02:10"), direction: .inbound, source: .init(address: "10.240.1.99:5"),
                destination: .init(address: "10.240.2.10:8080"), reason: "PLAINTEXT_REFUSED"),
        ])

    private let policies = PoliciesReport(
        time: at("14:02:11"), node: "node-b",
        items: [
            .init(
                namespace: "pay", name: "only-web", kind: "AuthorizationPolicy", action: "ALLOW", scope: .workload,
                rules: 1, pods: 1, decisions: 1_204, notes: ["methods need a waypoint"]),
            .init(
                namespace: "meshnode-system", name: "default", kind: "PeerAuthentication", action: "STRICT",
                scope: .mesh),
        ])

    private let certificates = CertificatesReport(
        time: at("14:02:11"), node: "node-b",
        items: [
            .init(
                role: .root, subject: "meshnode root", serial: "01", state: .valid, notBefore: at("00:00:00"),
                notAfter: Timestamp("2036-11-22T00:00:00Z")),
            .init(
                role: .workload, subject: "spiffe://cluster.local/ns/pay/sa/api", serial: "7a", state: .valid,
                notBefore: at("13:02:11"), notAfter: Timestamp("2026-11-23T13:02:11Z"),
                renewal: Timestamp("2026-11-23T01:02:11Z"), pods: 1),
            .init(role: .workload, subject: "spiffe://cluster.local/ns/pay/sa/new", serial: "", state: .missing),
        ])

    @Test func `of workloads`() {
        #expect(
            workloads.text(isWide: false, elapsed: .zero, palette: plain) == """
                NAMESPACE  NAME  NODE    CAPTURE   HEALTHY  ADDRESS      CONNS
                pay        api   node-b  Remote    yes      10.240.2.10  -
                shop       web   node-a  Captured  yes      10.240.1.10  3
                shop       late  node-a  Failed    no       -            -

                """)
    }

    @Test func `of workloads, wide`() {
        #expect(
            workloads.text(isWide: true, elapsed: .zero, palette: plain) == """
                NAMESPACE  NAME  NODE    CAPTURE   HEALTHY  ADDRESS                     CONNS  PROTOCOL  IDENTITY                                   CERTIFICATE    SERVICES  POLICIES      REASON
                pay        api   node-b  Remote    yes      10.240.2.10,fd00:240:2::10  -      HBONE     spiffe://cluster.local/ns/pay/sa/api       -              pay/api   pay/only-web  -
                shop       web   node-a  Captured  yes      10.240.1.10                 3      HBONE     spiffe://cluster.local/ns/shop/sa/web      expires in 9h  -         -             -
                shop       late  node-a  Failed    no       -                           -      TCP       spiffe://cluster.local/ns/shop/sa/default  -              -         -             no network namespace owns 10.240.1.12

                """)
    }

    @Test func `of connections says by which policy one was refused`() {
        #expect(
            connections.text(isWide: false, elapsed: .zero, palette: plain) == """
                DIRECTION  SOURCE    DESTINATION   SECURITY  AGE  SENT  RECV
                inbound    shop/web  pay/api:8080  mTLS      11s  2.0K  1.0G

                REFUSED
                AGE  SOURCE         DESTINATION       REASON             POLICY
                2s   shop/batch     pay/api:8080      NO_ALLOW_MATCH     pay/only-web
                1s   10.240.1.99:5  10.240.2.10:8080  PLAINTEXT_REFUSED  -

                """)
    }

    @Test func `of policies`() {
        #expect(
            policies.text(isWide: false, elapsed: .zero, palette: plain) == """
                NAMESPACE        NAME      KIND                 ACTION  SCOPE     PODS  DECISIONS
                pay              only-web  AuthorizationPolicy  ALLOW   workload  1     1.2k
                meshnode-system  default   PeerAuthentication   STRICT  mesh      ?     ?

                """)
    }

    @Test func `of certificates`() {
        #expect(
            certificates.text(isWide: false, elapsed: .zero, palette: plain) == """
                ROLE      STATE    EXPIRES  RENEWAL  PODS  SUBJECT
                root      Valid    3652d    -        -     meshnode root
                workload  Valid    23h      11h      1     spiffe://cluster.local/ns/pay/sa/api
                workload  Missing  ?        -        -     spiffe://cluster.local/ns/pay/sa/new

                """)
    }

    @Test func `keeps one namespace`() throws {
        #expect(workloads.kept(to: "pay").items.map(\.name) == ["api"])
        #expect(connections.kept(to: "shop").refused.count == 1)
        #expect(policies.kept(to: "none").items.isEmpty)
        let bytes = try encoded(workloads)
        #expect(run("workloads", "-n", "pay", "-o", "name") { _ in bytes }.transcript.output == "workload/pay/api\n")
    }

    @Test func `of names has one per line`() {
        #expect(policies.names == ["authorizationpolicy/pay/only-web", "peerauthentication/meshnode-system/default"])
        #expect(connections.names == ["connection/0-17", "connection/0-18", "connection/0-19"])
        #expect(certificates.names.first == "certificate/meshnode root")
    }

    @Test func `that is empty says so`() {
        let now = at("14:02:11")
        for text in [
            WorkloadsReport(time: now, node: "n", items: []).text(isWide: false, elapsed: .zero, palette: plain),
            ConnectionsReport(time: now, node: "n", live: [], refused: []).text(
                isWide: false, elapsed: .zero, palette: plain),
            PoliciesReport(time: now, node: "n", items: []).text(isWide: false, elapsed: .zero, palette: plain),
            CertificatesReport(time: now, node: "n", items: []).text(isWide: false, elapsed: .zero, palette: plain),
        ] {
            #expect(text.hasPrefix("No "))
        }
    }
}

@Suite struct `A report as JSON` {
    @Test func `has its version and its keys in order`() throws {
        let report = VersionReport(version: "0.1.0", openSSL: "3.0.15")
        #expect(
            try ReportText.json(report) == """
                {
                  "apiVersion" : "cli.meshnode.dev/v1",
                  "kind" : "Version",
                  "openSSL" : "3.0.15",
                  "version" : "0.1.0"
                }

                """)
    }

    @Test(arguments: [StatusReport.healthy, .degraded])
    func `is read back as it was`(report: StatusReport) throws {
        let text = try ReportText.json(report)
        #expect(try ReportText.decode(StatusReport.self, from: Array(text.utf8)) == report)
        #expect(text.contains(#""time" : "2026-11-22T14:02:11Z""#))
    }

    @Test func `may hold a problem code of a newer agent`() throws {
        var report = StatusReport.healthy
        report.problems = [Problem(code: ProblemCode(rawValue: "MN9999"), severity: .warning, object: "x", cause: "y")]
        #expect(try ReportText.decode(StatusReport.self, from: try encoded(report)) == report)
    }

    @Test func `carries what the agent could not do`() throws {
        let body = Array(#"{"apiVersion":"cli.meshnode.dev/v1","kind":"Error","message":"busy"}"#.utf8)
        #expect(ReportText.errorMessage(in: body) == "busy")
        #expect(ReportText.errorMessage(in: []) == nil)
    }
}
