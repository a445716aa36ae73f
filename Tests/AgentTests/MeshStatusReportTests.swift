import Mesh
import Testing
import XDS

@testable import Agent

private let noon = Timestamp("2026-11-22T12:00:00Z")!  // swift-format-ignore: NeverForceUnwrap

private func status(_ node: String, at time: Timestamp = noon) -> NodeStatus {
    var status = NodeStatus(time: time, node: node, version: "0.1.0", isReady: true)
    status.pods = PodsStatus(enrolled: 2, captured: 2)
    status.configurationVersion = 7
    status.certificates = 1
    status.validCertificates = 1
    status.traffic = TrafficStatus(opened: 10, mutualTLS: 9, plaintext: 1, denied: 2, failed: 0, open: 3)
    return status
}

private func account(
    _ node: String, age: UInt64 = 0, isConnected: Bool = true, _ change: (inout NodeStatus) -> Void = { _ in }
) -> NodeAccount {
    var status = status(node)
    change(&status)
    return NodeAccount(node: node, status: status, ageInMilliseconds: age, isConnected: isConnected)
}

private let controller = ControllerFacts(
    time: noon, trustDomain: "cluster.local", place: "node-a", snapshotVersion: 7, snapshotAgeSeconds: 60,
    rootExpires: noon, roots: 1)

private func report(_ accounts: [NodeAccount], _ controller: ControllerFacts? = controller) -> MeshStatusReport {
    MeshStatusReport(
        MeshOutlook(
            time: noon, answeredBy: "node-a", trustDomain: "td", accounts: accounts, controller: controller,
            controllerFailure: controller == nil ? "silent" : ""))
}

@Suite struct `The mesh's status` {
    @Test(arguments: [(UInt64(0), "Ready"), (14_999, "Ready"), (15_000, "Lost"), (.max, "Lost")])
    func `calls an agent lost that is silent for 15 seconds`(age: UInt64, state: String) {
        let node = report([account("node-a", age: age)]).nodes[0]
        #expect(node.state.rawValue == state)
        #expect((node.connections == nil) == (state == "Lost"))
        #expect(node.capturedPods == 2)
        #expect((node.residentBytes == nil) && node.version == "0.1.0")
    }

    @Test func `never guesses`() {
        let broken = NodeAccount(node: "b", json: Array("{}".utf8), ageInMilliseconds: 0, isConnected: true)
        let gone = account("c", age: 3_000, isConnected: false)
        let nodes = report([broken, gone]).nodes
        #expect(nodes.map(\.state) == [.unknown, .unknown])
        #expect(nodes[0].capturedPods == nil)
        #expect(report([broken]).verdict == .starting)
        #expect(report([]).verdict == .starting)
    }

    @Test func `is not well while one node is not`() {
        #expect(report([account("a"), account("b")]).verdict == .ok)
        #expect(report([account("a"), account("b") { $0.isReady = false }]).verdict == .starting)
        let lost = report([account("a"), account("b", age: 20_000)])
        #expect(lost.verdict == .degraded)
        #expect(lost.problems.map(\.code) == [.nodeLost])
    }

    @Test func `misses nodes that never reported`() {
        var facts = controller
        facts.expectedNodes = [.init(node: "a", enrolledPods: 1), .init(node: "z", enrolledPods: 4)]
        let nodes = report([account("a")], facts).nodes
        #expect(nodes.map(\.name) == ["a", "z"])
        #expect(nodes[1].state == .lost)
        #expect(nodes[1].enrolledPods == 4 && nodes[1].capturedPods == nil)
    }

    @Test func `without the controller says so`() {
        let report = report([account("node-a")], nil)
        #expect(report.controller.state == .lost)
        #expect(report.certificateAuthority.state == .unknown)
        #expect(report.problems.map(\.code) == [.controllerUnreachable])
        #expect(report.note == "Only node-a is known for sure: silent.")
        #expect(report.verdict == .degraded)
    }

    @Test func `adds up the traffic of those that are heard of`() {
        let report = report([account("a"), account("b"), account("c", age: 99_000)])
        #expect(report.traffic.opened == 20)
        #expect(report.traffic.denied == 4)
        #expect(report.nodesWithoutTraffic == 1)
    }

    @Test(arguments: [(Int64(0), 0), (10, 0), (11, 1), (-10, 0), (-11, 1)])
    func `sees clocks that differ`(skew: Int64, count: Int) {
        let account = NodeAccount(
            node: "a", status: status("a", at: Timestamp(secondsSince1970: noon.secondsSince1970 - 2 + skew)),
            ageInMilliseconds: 2_000, isConnected: true)
        #expect(report([account]).problems.count { $0.code == .clockSkew } == count)
    }

    @Test func `sees a node that has not got a change`() {
        let behind = account("a") { $0.configurationVersion = 6 }
        #expect(report([behind]).problems.map(\.code) == [.configurationBehind])
        var young = controller
        young.snapshotAgeSeconds = 10
        #expect(report([behind], young).problems.isEmpty)
    }

    @Test func `puts a node's name before its problems, and errors first`() {
        let warning = Problem(code: .captureRepaired, severity: .warning, object: "shop/web", cause: "x")
        let error = Problem(code: .controllerDown, severity: .error, object: "b", cause: "y")
        var facts = controller
        facts.rotation = .signing
        let problems = report(
            [account("a") { $0.problems = [warning] }, account("b") { $0.problems = [error] }], facts
        )
        .problems
        #expect(problems.map(\.object) == ["b", "CA", "a: shop/web"])
        #expect(problems.map(\.code) == [.controllerDown, .rotationUnderWay, .captureRepaired])
    }

    @Test func `has this JSON`() throws {
        let json = String(decoding: ReportCoding.encode(report([account("a")])), as: UTF8.self)
        #expect(
            json == """
                {"answeredBy":"node-a","apiVersion":"cli.meshnode.dev/v1","certificateAuthority":{"reason":"","rootExpires":"2026-11-22T12:00:00Z","rotation":"None","state":"OK"},\
                "controller":{"place":"node-a","reason":"","snapshotAgeSeconds":60,"snapshotVersion":7,"state":"OK"},\
                "kind":"MeshStatus","manifestProblems":[],\
                "nodes":[{"capturedPods":2,"certificates":1,"configurationVersion":7,"connections":3,"enrolledPods":2,"missingPods":[],"name":"a","reason":"","refusals":[],"silentSeconds":0,"state":"Ready",\
                "traffic":{"denied":2,"failed":0,"mutualTLS":9,"open":3,"opened":10,"plaintext":1,"windowSeconds":60},"validCertificates":1,"version":"0.1.0"}],"nodesWithoutTraffic":0,"note":"",\
                "problems":[],"time":"2026-11-22T12:00:00Z",\
                "traffic":{"denied":2,"failed":0,"mutualTLS":9,"open":3,"opened":10,"plaintext":1,"windowSeconds":60},\
                "trustDomain":"cluster.local","verdict":"OK","version":"0.1.0"}
                """)
    }
}

@Suite struct `A node's status` {
    @Test func `is bounded, however much there is`() {
        var large = status("a")
        large.problems = (0..<500).map {
            Problem(code: .captureRefused, severity: .error, object: "\($0)", cause: String(repeating: "x", count: 200))
        }
        large.edges = (0..<5_000).map {
            .init(source: "a", destination: "\($0)", security: .mutualTLS, opened: 1, lastSeen: noon)
        }
        large.refusals = (0..<2_000).map {
            .init(
                id: "\($0)", time: noon, direction: .inbound, source: .init(address: "a"),
                destination: .init(address: "b"), reason: "POLICY_DENY")
        }
        let bounded = large.bounded
        #expect(bounded.json.count < 200_000)
        #expect(bounded.problems.count == 50 && bounded.edges.count == 200 && bounded.refusals.count == 50)
        #expect(bounded.refusals.last?.id == "1999")
        #expect(bounded.omitted == 450 + 4_800 + 1_950)
    }

    @Test func `travels as JSON`() {
        let account = NodeAccount(node: "a", json: status("a").json, ageInMilliseconds: 1, isConnected: true)
        #expect(account.status == status("a"))
    }

    @Test(arguments: ["", "null", "[]", "{\"node\":1}", "\u{0}\u{ff}"])
    func `that cannot be read is none`(json: String) {
        #expect(NodeAccount(node: "a", json: Array(json.utf8), ageInMilliseconds: 0, isConnected: true).status == nil)
    }

    @Test func `comes out of a mesh report`() {
        let entry = MeshReport.Entry(
            report: NodeReport(node: "a", takenAt: 5, json: status("a").json), ageInMilliseconds: 3, isConnected: true)
        let answer = MeshAnswer(MeshReport(id: 1, nodes: [entry], controllerJSON: ReportCoding.encode(controller)))
        #expect(
            answer
                == .answered(
                    [NodeAccount(node: "a", status: status("a"), ageInMilliseconds: 3, isConnected: true)], controller))
        #expect(MeshAnswer(MeshReport(id: 1)) == .answered([], nil))
    }
}

@Suite struct `The controller's desk` {
    private let state = ControllerDesk.State(facts: controller, accounts: [account("a")])

    @Test func `answers for the whole mesh`() {
        let answer = ControllerDesk.answer("/mesh?x=y", state)
        #expect(answer.status == 200)
        #expect(ReportCoding.decode(MeshStatusReport.self, answer.body)?.nodes.map(\.name) == ["a"])
        #expect(ControllerDesk.answer(MeshStatusReport.path, state) == answer)
        #expect(ReportCoding.decode(EdgesReport.self, ControllerDesk.answer("/edges", state).body) != nil)
    }

    @Test func `knows nothing else`() {
        #expect(ControllerDesk.answer("/v1/workloads", state).status == 404)
    }
}

@Suite struct `Edges of several nodes` {
    private func edge(
        _ security: EdgesReport.Security, _ opened: UInt64, at time: Int64, _ node: String,
        refusals: [String: UInt64] = [:]
    ) -> EdgesReport.Edge {
        .init(
            source: "a/x", destination: "b/y", service: "b/y", security: security, opened: opened, refusals: refusals,
            lastSeen: Timestamp(secondsSince1970: time), nodes: [node])
    }

    @Test func `are not counted twice`() {
        let merged = EdgesReport.Edge.merged([
            edge(.mutualTLS, 10, at: 5, "n1"), edge(.mutualTLS, 9, at: 6, "n2", refusals: ["POLICY_DENY": 2]),
        ])
        #expect(merged.count == 1)
        #expect(merged[0].opened == 10)
        #expect(merged[0].refused == 2)
        #expect(merged[0].nodes == ["n1", "n2"])
        #expect(merged[0].lastSeen.secondsSince1970 == 6)
    }

    @Test(arguments: [
        (EdgesReport.Security.mutualTLS, EdgesReport.Security.plaintext, EdgesReport.Security.mixed),
        (.none, .plaintext, .plaintext), (.mutualTLS, .none, .mutualTLS), (.mixed, .mutualTLS, .mixed),
        (.none, .none, .none),
    ])
    func `look no safer than either end saw`(
        one: EdgesReport.Security, other: EdgesReport.Security, both: EdgesReport.Security
    ) {
        #expect(EdgesReport.Edge.merged([edge(one, 1, at: 1, "a"), edge(other, 1, at: 2, "b")])[0].security == both)
        #expect(EdgesReport.Edge.merged([edge(other, 1, at: 2, "b"), edge(one, 1, at: 1, "a")])[0].security == both)
    }
}

@Suite struct `An admin target` {
    @Test(arguments: ["/v1/explain?dst=a%3A80&src=b%2Fc", "/v1/mesh", "/x?a=&b=%25%20%C3%A9"])
    func `is written as it is read`(text: String) {
        #expect(AdminTarget(text).text == text)
    }

    @Test(arguments: [
        ("/a?b=%", "%"), ("/a?b=%4", "%4"), ("/a?b=%zz", "%zz"), ("/a?b=%41%", "A%"), ("/a?b=1&b=2", "2"),
    ])
    func `takes what is no escape as it is`(text: String, value: String) {
        #expect(AdminTarget(text).query["b"] == value)
    }

    @Test(arguments: ["", "?", "/?", "/??", "&", "/a?&&=&"])
    func `survives anything`(text: String) {
        _ = AdminTarget(text).text
    }
}
