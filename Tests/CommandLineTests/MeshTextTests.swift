import Testing

@testable import Agent
@testable import CommandLine

private let plain = Palette(isColored: false)

private func text(_ report: some RenderableReport, isWide: Bool = false) -> String {
    report.text(isWide: isWide, elapsed: .milliseconds(412), palette: plain)
}

@Suite struct `The whole mesh` {
    @Test func `that is well`() {
        #expect(
            text(MeshStatusReport.healthy) == """
                meshnode 0.1.0   trust domain cluster.local   2026-11-22T14:02:11Z   0.4s

                Mesh        OK         0 errors, 0 warnings
                Controller  OK         node-a, snapshot 4182 (3s old)
                CA          OK         root expires in 345d, issuer in 28d
                Agents      3/3 ready
                Workloads   123/123    enrolled pods captured
                Traffic     1m         6.1k conn/s, 99.99% mTLS, 18 plaintext, 45 denied

                NODE    AGENT  VERSION  PODS   CONNS  CERTS  CONFIG  RESTARTS  RSS
                node-a  Ready  0.1.0    41/41  2.2k   18 ok  4182    0         94M
                node-b  Ready  0.1.0    41/41  2.2k   18 ok  4182    0         94M
                node-c  Ready  0.1.0    41/41  2.2k   18 ok  4182    0         94M

                Next: meshnode connections --denied | meshnode explain --id ID

                """)
    }

    @Test func `with a lost node says what is known of it and what not`() {
        #expect(
            text(MeshStatusReport.degraded) == """
                meshnode 0.1.0   trust domain cluster.local   2026-11-22T14:02:11Z   0.4s

                Mesh        DEGRADED   1 error, 1 warning
                Controller  OK         node-a, snapshot 4182 (3s old)
                CA          OK         root expires in 345d, issuer in 28d
                Agents      2/3 ready  node-c: no heartbeat for 41s
                Workloads   119/123    enrolled pods captured; of 1 node as last heard
                Traffic     1m         4.1k conn/s, 99.99% mTLS, 12 plaintext, 30 denied;
                                       without 1 of 3 nodes

                NODE    AGENT  VERSION  PODS   CONNS  CERTS  CONFIG  RESTARTS  RSS
                node-a  Ready  0.1.0    41/41  2.2k   18 ok  4182    0         94M
                node-b  Ready  0.1.0    40/41  2.2k   18 ok  4182    0         94M
                node-c  Lost   0.1.0    38/41  ?      ?      4179    3         ?

                NOT CAPTURED
                 shop/legacy-7f (node-b): failed: no network namespace owns 10.1.2.3

                ERRORS
                 MN2003 node-c: agent not answering: no heartbeat for 41s; its pods keep their
                        connections while its worker runs; if it does not, new ones are refused
                        try: meshnode status --local   (on node-c)

                WARNINGS
                 MN4007 CA: the issuer expires in 28 days
                        try: meshnode certificates

                Next: meshnode check | meshnode diff | docs/troubleshooting.md

                """)
    }

    @Test func `without its controller is one node and question marks`() {
        #expect(
            text(MeshStatusReport.alone) == """
                meshnode 0.1.0   trust domain cluster.local   2026-11-22T14:02:11Z   0.4s

                Mesh        DEGRADED   1 error, 0 warnings
                Controller  LOST       10.0.0.1:15012 does not answer
                CA          ?          root expires ?, issuer in ?
                Agents      1/2 ready  node-a: only the controller knows
                Workloads   41/82      enrolled pods captured; not known of 1 node
                Traffic     1m         2.0k conn/s, 99.99% mTLS, 6 plaintext, 15 denied; without
                                       1 of 2 nodes

                NODE    AGENT  VERSION  PODS   CONNS  CERTS  CONFIG  RESTARTS  RSS
                node-a  ?      ?        ?/41   ?      ?      ?       ?         ?
                node-b  Ready  0.1.0    41/41  2.2k   18 ok  4182    0         94M

                ERRORS
                 MN2006 controller: 10.0.0.1:15012 does not answer; nodes go on with what they
                        have; no change takes effect, no certificate is renewed
                        try: meshnode status --local

                Note: Only node-b is known for sure: 10.0.0.1:15012 does not answer.

                Next: meshnode check | meshnode diff | docs/troubleshooting.md

                """)
    }

    @Test func `of one node shows what it refused`() throws {
        let report = try #require(MeshStatusReport.degraded.kept(toNode: "node-b"))
        #expect(
            text(report) == """
                meshnode 0.1.0   trust domain cluster.local   2026-11-22T14:02:11Z   0.4s

                Mesh        OK         0 errors, 0 warnings
                Controller  OK         node-a, snapshot 4182 (3s old)
                CA          OK         root expires in 345d, issuer in 28d
                Agents      1/1 ready
                Workloads   40/41      enrolled pods captured
                Traffic     1m         2.0k conn/s, 99.99% mTLS, 6 plaintext, 15 denied

                NODE    AGENT  VERSION  PODS   CONNS  CERTS  CONFIG  RESTARTS  RSS
                node-b  Ready  0.1.0    40/41  2.2k   18 ok  4182    0         94M

                NOT CAPTURED
                 shop/legacy-7f (node-b): failed: no network namespace owns 10.1.2.3

                REFUSED OF LATE
                AGE  NODE    SOURCE      DESTINATION   REASON          ID
                8s   node-b  shop/batch  pay/api:8080  NO_ALLOW_MATCH  72057594037927939

                Next: meshnode connections --denied | meshnode explain --id ID

                """)
        #expect(MeshStatusReport.degraded.kept(toNode: "node-x") == nil)
    }

    @Test func `with a worker that is down shows what the keeper knows`() {
        var keeper = KeeperView(
            pid: 41, residentBytes: 12 << 20, worker: "waiting to be started again", isWorkerReady: false,
            workerRestarts: 4)
        keeper.restartsInSeconds = 8
        keeper.lastEnd = "signal 4"
        keeper.handOver = "this agent hands over to another that is starting"
        keeper.pods = PodsStatus(enrolled: 41, captured: 41)
        let alone = MeshStatusReport(keeper: keeper, node: "node-b", controller: nil, time: at("14:02:11"))
        #expect(
            text(alone) == """
                meshnode 0.1.0   trust domain <unknown>   2026-11-22T14:02:11Z   0.4s

                Mesh        DEGRADED   1 error, 1 warning
                Controller  LOST       the worker is down, and no controller on this node
                                       answers
                CA          ?          root expires ?, issuer in ?
                Agents      0/1 ready  node-b: the worker is waiting to be started again, the
                                       keeper starts it again in 8s, started again 4 times so
                                       far; it ended: signal 4
                Workloads   41/41      enrolled pods captured
                Traffic     1m         ? conn/s, ? mTLS, ? plaintext, ? denied, ? failed

                NODE    AGENT       VERSION  PODS   CONNS  CERTS  CONFIG  RESTARTS  RSS
                node-b  Restarting  0.1.0    41/41  ?      ?      ?       4         ?

                ERRORS
                 MN2007 node-b: the worker is waiting to be started again, the keeper starts it
                        again in 8s, started again 4 times so far; it ended: signal 4; new
                        connections of its pods wait for the next worker; none travels in
                        plaintext
                        try: look at the agent's log on node-b

                WARNINGS
                 MN2008 node-b: this agent hands over to another that is starting; nothing about
                        pods changes until it is over
                        try: meshnode status -w

                Note: The worker of node-b does not answer; its line is what the keeper knows.

                Next: meshnode check | meshnode diff | docs/troubleshooting.md

                """)
        let beside = MeshStatusReport(keeper: keeper, node: "node-b", controller: .healthy, time: at("14:02:11"))
        #expect(beside.nodes.map(\.state) == [.ready, .restarting, .ready])
        #expect(beside.verdict == .degraded)
    }

    @Test(arguments: [MeshStatusReport.healthy, .degraded, .alone])
    func `fits 80 columns, in colour too`(report: MeshStatusReport) {
        for isColored in [false, true] {
            let text = report.text(isWide: false, elapsed: .seconds(1), palette: Palette(isColored: isColored))
            for line in text.split(separator: "\n") {
                let bare = line.replacing(#/\u{1b}\[[0-9]+m/#, with: "")
                #expect(bare.count <= 80, "\(bare)")
            }
        }
    }

    @Test func `is read back from its JSON as it was`() throws {
        let report = MeshStatusReport.degraded
        let bytes = Array(try ReportText.json(report).utf8)
        #expect(try ReportText.decode(MeshStatusReport.self, from: bytes) == report)
    }
}

@Suite struct `An explanation` {
    @Test func `names the field that missed`() {
        #expect(
            text(ExplainReport.denied) == """
                shop/batch -> api.pay:80 (10.240.100.10:80)   DENIED NO_ALLOW_MATCH
                 none of pay/only-web matches

                      NAME        ADDRESS           NODE    AGENT  CAPTURE   CERT
                FROM  shop/batch  10.240.1.11       node-a  Ready  Captured  Valid
                TO    pay/api     10.240.2.10:8080  node-b  Ready  Captured  Valid
                AS    spiffe://cluster.local/ns/shop/sa/batch

                ROUTE
                 service pay/api
                 HBONE to 10.240.2.10:15008, whose certificate must say
                   spiffe://cluster.local/ns/pay/sa/api
                 namespace shop: egress allow

                POLICIES of pay/api, in the order in which they are asked
                 STRICT istio-system/default (PeerAuthentication): satisfied, the client has an
                   identity
                 ALLOW pay/only-web: no match
                    rule 0: from[].source.principals is cluster.local/ns/shop/sa/batch, wanted
                            cluster.local/ns/shop/sa/web
                 dry run: pay/next would-deny

                As node-a knows the mesh, configuration 4182.
                Next: docs/reasons.md (NO_ALLOW_MATCH)

                """)
    }

    @Test func `of a connection that was refused tells what was decided then`() {
        var report = ExplainReport.denied
        report.answer = .allowed
        report.reason = ""
        report.summary = "allowed by pay/batch-too rule 0"
        report.verdicts = []
        report.earlier = ExplainReport.Earlier(
            connection: .init(
                id: "72057594037927939", time: at("14:01:11"), direction: .inbound,
                source: .init(address: "10.240.1.11:4711", workload: "batch", namespace: "shop"),
                destination: .init(address: "10.240.2.10:8080", workload: "api", namespace: "pay"),
                reason: "NO_ALLOW_MATCH", policies: ["pay/only-web"],
                detail: "pay/only-web rule 0: from[].source.principals is a, wanted b",
                facts: .init(
                    source: "spiffe://cluster.local/ns/shop/sa/batch", sourceAddress: "10.240.1.11",
                    destinationAddress: "10.240.2.10", destinationPort: 8080), stateVersion: 17),
            changes: ["refused then with NO_ALLOW_MATCH; now it would be allowed"])
        #expect(
            text(report) == """
                shop/batch -> api.pay:80 (10.240.100.10:80)   now ALLOWED
                 allowed by pay/batch-too rule 0

                THEN  connection 72057594037927939, 2026-11-22T14:01:11Z, 60s ago
                 inbound, shop/batch -> pay/api:8080, refused with NO_ALLOW_MATCH
                 policies: pay/only-web
                 pay/only-web rule 0: from[].source.principals is a, wanted b
                 decided on: identity spiffe://cluster.local/ns/shop/sa/batch, from 10.240.1.11,
                   to 10.240.2.10 port 8080
                 since: refused then with NO_ALLOW_MATCH; now it would be allowed

                      NAME        ADDRESS      NODE    AGENT  CAPTURE   CERT
                FROM  shop/batch  10.240.1.11  node-a  Ready  Captured  Valid
                AS    spiffe://cluster.local/ns/shop/sa/batch

                ROUTE
                 service pay/api
                 namespace shop: egress allow

                As node-a knows the mesh, configuration 4182.

                """)
    }

    @Test func `shows endpoints that say the same once`() {
        var report = ExplainReport.denied
        var second = report.verdicts[0]
        second.server.name = "pay/api-2"
        report.verdicts.append(second)
        let lines = text(report).split(separator: "\n")
        #expect(lines.count { $0.hasPrefix("POLICIES of pay/api, pay/api-2,") } == 1)
        #expect(lines.count { $0.contains("ALLOW pay/only-web") } == 1)
    }

    @Test func `cannot be forged by a name`() {
        var report = ExplainReport.denied
        report.source.name = "a\u{1b}[2J\nALLOWED"
        #expect(!text(report).contains("\u{1b}"))
        #expect(!text(report).contains("\nALLOWED"))
    }

    @Test func `fits 80 columns`() {
        for line in text(ExplainReport.denied).split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
    }
}

@Suite struct `Lists of the mesh` {
    private let edges = EdgesReport(
        time: at("14:02:11"), node: "node-a",
        items: [
            .init(
                source: "10.9.9.9", destination: "pay/api", security: .plaintext,
                plaintextCause: "client not meshed", opened: 3, lastSeen: at("14:00:00"),
                nodes: ["node-b"]),
            .init(
                source: "shop/batch", destination: "pay/api", service: "pay/api", security: .none, opened: 0,
                refusals: ["NO_ALLOW_MATCH": 12, "DRAIN": 1], policy: "pay/only-web", lastSeen: at("14:02:00"),
                nodes: ["node-a", "node-b"]),
            .init(
                source: "shop/web", destination: "pay/api", service: "pay/api", security: .mutualTLS, opened: 4_100,
                open: 3, sentBytes: 1 << 20, receivedBytes: 5 << 20, lastSeen: at("14:02:11"),
                nodes: ["node-a", "node-b"]),
        ])

    @Test func `of edges`() {
        #expect(
            text(edges) == """
                SOURCE      DESTINATION  SECURITY   CONNS  OPEN  DENIED  WHY
                10.9.9.9    pay/api      plaintext  3      0     0       client not meshed
                shop/batch  pay/api      -          0      0     13      NO_ALLOW_MATCH
                shop/web    pay/api      mTLS       4.1k   3     0       -

                """)
    }

    @Test func `of edges, only the denied`() throws {
        let bytes = try encoded(edges)
        #expect(run("edges", "--denied", "-o", "name") { _ in bytes }.transcript.output == "edge/shop/batch->pay/api\n")
        #expect(
            run("edges", "--plaintext", "-o", "name") { _ in bytes }.transcript.output == "edge/10.9.9.9->pay/api\n")
        #expect(
            run("edges", "-n", "shop", "-o", "name") { _ in bytes }.transcript.output.split(separator: "\n").count == 2)
        #expect(run("edges", "--local") { _ in bytes }.transcript.askedPaths == ["/v1/edges?local=1"])
    }

    @Test func `of services`() {
        let report = ServicesReport(
            time: at("14:02:11"), node: "node-a",
            items: [
                .init(
                    namespace: "pay", name: "api", hostname: "api.pay.svc.cluster.local", addresses: ["10.240.100.10"],
                    ports: ["80/http", "443"], readyEndpoints: 1, endpoints: 2,
                    servers: ["pay/api 10.240.2.10 80->8080"],
                    waypoint: "", policies: ["pay/only-web"], balancing: ""),
                .init(
                    namespace: "pay", name: "db", hostname: "db.pay.svc.cluster.local", addresses: [], ports: ["5432"],
                    readyEndpoints: 0, endpoints: 0, servers: [], waypoint: "pay/waypoint", policies: [], balancing: ""),
            ])
        #expect(
            text(report) == """
                NAMESPACE  NAME  ADDRESS        PORTS        ENDPOINTS  WAYPOINT      POLICIES
                pay        api   10.240.100.10  80/http,443  1/2        -             1
                pay        db    headless       5432         0/0        pay/waypoint  0

                """)
    }

    @Test func `of differences`() throws {
        let report = DiffReport(
            time: at("14:02:11"), node: "node-a",
            items: [
                .init(.configuration, "node-a", wanted: "4182", enforced: "4182", isSame: true),
                .init(
                    .pod, "shop/late", wanted: "captured", enforced: "failed", isSame: false,
                    reason: "no network namespace owns 10.240.1.12"),
            ])
        #expect(
            text(report) == """
                SUBJECT  OBJECT     WANTED    ENFORCED  SAME
                pod      shop/late  captured  failed    no

                WHY
                 shop/late: no network namespace owns 10.240.1.12

                1 of 2 differ.

                """)
        let bytes = try encoded(report)
        #expect(run("diff") { _ in bytes }.status == 2)
        let same = try encoded(DiffReport(time: at("14:02:11"), node: "node-a", items: [report.items[0]]))
        let (status, transcript) = run("diff") { _ in same }
        #expect(status == 0)
        #expect(transcript.output == "Nothing differs: all 1 things that node-a is to enforce are enforced.\n")
    }
}

@Suite struct `The YAML of a report` {
    @Test func `says what the JSON says`() throws {
        let json =
            #"{"b":[1,-2,true,null,{"c":"x: y","d":[]}],"a":"plain text","n":"null","e":{},"u":18446744073709551615}"#
        #expect(
            try YAML.text(of: json.utf8) == """
                ---
                a: plain text
                b:
                  - 1
                  - -2
                  - true
                  - null
                  - c: "x: y"
                    d: []
                e: {}
                "n": "null"
                u: 18446744073709551615

                """)
    }

    @Test func `escapes what would break a line or a terminal`() throws {
        #expect(try YAML.text(of: #"{"a":"x\ny\u001b[2J"}"#.utf8) == "---\na: \"x\\ny\\u001b[2J\"\n")
    }

    @Test func `is an output form of every report`() throws {
        let bytes = try encoded(StatusReport.healthy)
        let output = run("status", "--local", "-o", "yaml") { _ in bytes }.transcript.output
        #expect(output.hasPrefix("---\nagent:\n"))
        #expect(output.contains("\napiVersion: cli.meshnode.dev/v1\n"))
    }
}
