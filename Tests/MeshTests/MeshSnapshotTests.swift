import Addressing
import Mesh
import TestSupport
import Testing

@Suite struct `A mesh snapshot` {
    @Test func `finds a workload by uid and by each address`() {
        let web = pod("web", at: ["10.0.0.1", "fd00::1"])
        let mesh = mesh([web])
        #expect(mesh.workload(web.uid) == web)
        #expect(mesh.workload(at: ip("10.0.0.1")) == web)
        #expect(mesh.workload(at: ip("fd00::1")) == web)
        #expect(mesh.workload(at: ip("::ffff:10.0.0.1")) == web)
        #expect(mesh.workload(at: ip("10.0.0.2")) == nil)
    }

    @Test func `never finds a host-network workload by address`() {
        let mesh = mesh([pod("node-agent", at: ["10.0.0.9"], hostNetwork: true)])
        #expect(mesh.workloadCount == 1)
        #expect(mesh.workload(at: ip("10.0.0.9")) == nil)
    }

    @Test func `forgets the old addresses when a workload changes`() {
        var mesh = mesh([pod("web", at: ["10.0.0.1"])])
        mesh.apply(.workloadUpserted(pod("web", at: ["10.0.0.2"])))
        #expect(mesh.workload(at: ip("10.0.0.1")) == nil)
        #expect(mesh.workload(at: ip("10.0.0.2"))?.name == "web")
        mesh.apply(.workloadRemoved(pod("web").uid))
        #expect(mesh.workload(at: ip("10.0.0.2")) == nil)
        #expect(mesh.workloadCount == 0)
    }

    @Test(arguments: [false, true])
    func `decides a contested address alike in any order and reports it`(reversed: Bool) {
        let pods = [pod("a", at: ["10.0.0.1"]), pod("b", at: ["10.0.0.1"])]
        let mesh = mesh(reversed ? pods.reversed() : pods)
        #expect(mesh.workload(at: ip("10.0.0.1"))?.name == "a")
        #expect(mesh.problems == [.conflictingAddress(ip("10.0.0.1"), pods.map(\.uid))])
    }

    @Test func `gives a reused address to the healthy one and calls that no conflict`() {
        var mesh = mesh([pod("a-old", at: ["10.0.0.1"], healthy: false), pod("z-new", at: ["10.0.0.1"])])
        #expect(mesh.workload(at: ip("10.0.0.1"))?.name == "z-new")
        #expect(mesh.problems.isEmpty)
        mesh.apply(.workloadRemoved(pod("z-new").uid))
        #expect(mesh.workload(at: ip("10.0.0.1"))?.name == "a-old")
    }

    @Test func `ends a conflict when one claimant goes`() {
        var mesh = mesh([pod("a", at: ["10.0.0.1"]), pod("b", at: ["10.0.0.1"])])
        mesh.apply(.workloadRemoved(pod("a").uid))
        #expect(mesh.problems.isEmpty)
        #expect(mesh.workload(at: ip("10.0.0.1"))?.name == "b")
    }

    @Test func `survives a workload that lists an address twice`() {
        var mesh = mesh([pod("a", at: ["10.0.0.1", "10.0.0.1"])])
        #expect(mesh.problems.isEmpty)
        mesh.apply(.workloadRemoved(pod("a").uid))
        #expect(mesh.workload(at: ip("10.0.0.1")) == nil)
    }

    @Test func `accepts endpoints before their service`() {
        var mesh = mesh([endpoint(pod("api", at: ["10.0.0.1"]), of: "pay/api")])
        #expect(mesh.endpoints(of: named("pay/api")).map(\.name) == ["api"])
        mesh.apply(.serviceUpserted(service("pay/api", at: ["10.96.0.1"])))
        #expect(mesh.service(at: ip("10.96.0.1"), from: "shop")?.name == named("pay/api"))
        mesh.apply(.serviceRemoved(named("pay/api")))
        #expect(mesh.service(at: ip("10.96.0.1"), from: "shop") == nil)
        #expect(mesh.endpoints(of: named("pay/api")).count == 1)
    }

    @Test func `takes an endpoint out when it no longer serves`() {
        var mesh = mesh([endpoint(pod("api", at: ["10.0.0.1"]), of: "pay/api")])
        mesh.apply(.workloadUpserted(pod("api", at: ["10.0.0.1"])))
        #expect(mesh.endpoints(of: named("pay/api")).isEmpty)
    }

    @Test func `keeps what one message removes and then inserts`() {
        var mesh = mesh([pod("web", at: ["10.0.0.1"])], [service("pay/api", at: ["10.96.0.1"])])
        let version = mesh.version
        mesh.apply(contentsOf: [
            .workloadRemoved(pod("web").uid), .workloadUpserted(pod("web", at: ["10.0.0.2"])),
            .serviceRemoved(named("pay/api")), .serviceUpserted(service("pay/api", at: ["10.96.0.2"])),
        ])
        #expect(mesh.version == version + 1)
        #expect(mesh.workload(at: ip("10.0.0.2")) != nil)
        #expect(mesh.service(at: ip("10.96.0.1"), from: "") == nil)
        #expect(mesh.service(at: ip("10.96.0.2"), from: "") != nil)
    }

    @Test func `leaves copies as they were`() {
        let before = mesh([pod("web", at: ["10.0.0.1"])])
        var after = before
        after.apply(.workloadRemoved(pod("web").uid))
        #expect(before.workload(at: ip("10.0.0.1")) != nil)
        #expect(after.workload(at: ip("10.0.0.1")) == nil)
    }

    @Test func `prefers the virtual address, then the longest block`() {
        let mesh = mesh(
            [],
            [
                service("a/wide", at: ["10.0.0.0/8"]), service("a/narrow", at: ["10.1.0.0/16"]),
                service("a/one", at: ["10.1.2.3"]), service("a/six", at: ["fd00::/16"]),
                service("a/all", at: ["0.0.0.0/0"]),
            ])
        func name(_ text: String) -> String? { mesh.service(at: ip(text), from: "a")?.name.name }
        #expect(name("10.1.2.3") == "one")
        #expect(name("10.1.2.4") == "narrow")
        #expect(name("10.2.0.1") == "wide")
        #expect(name("192.0.2.1") == "all")
        #expect(name("fd00::7") == "six")
        #expect(name("fd01::7") == nil)
    }

    @Test func `forgets a block with its last service`() {
        var mesh = mesh([], [service("a/x", at: ["10.0.0.0/8"]), service("b/x", at: ["10.0.0.0/8"])])
        mesh.apply(.serviceRemoved(named("a/x")))
        #expect(mesh.service(at: ip("10.0.0.1"), from: "a")?.name == named("b/x"))
        mesh.apply(.serviceRemoved(named("b/x")))
        #expect(mesh.service(at: ip("10.0.0.1"), from: "a") == nil)
    }

    @Test(arguments: ["203.0.113.7", "203.0.113.0/24"])
    func `prefers the service of the asker's namespace`(address: String) {
        let mesh = mesh([], [service("a/x", at: [address]), service("b/x", at: [address])])
        #expect(mesh.service(at: ip("203.0.113.7"), from: "b")?.name == named("b/x"))
        #expect(mesh.service(at: ip("203.0.113.7"), from: "c")?.name == named("a/x"))
    }

    @Test func `finds a service by hostname`() {
        let mesh = mesh([], [service("pay/api")])
        #expect(mesh.service(hostname: "api.pay.svc.cluster.local", from: "shop")?.name == named("pay/api"))
        #expect(mesh.service(hostname: "api.pay", from: "shop") == nil)
    }

    @Test func `gives a workload the policies of mesh, namespace and its own, in that order`() {
        func policy(_ name: String, _ scope: AuthorizationPolicy.Scope) -> AuthorizationPolicy {
            AuthorizationPolicy(name: named(name), scope: scope, action: .allow, rules: [])
        }
        let web = pod("web", policies: ["shop/own-b", "shop/own-a", "shop/gone", "root/m2"].map(named))
        var mesh = mesh(
            [web], [],
            [
                policy("shop/own-a", .workload), policy("shop/own-b", .workload), policy("shop/other", .workload),
                policy("shop/n2", .namespace), policy("shop/n1", .namespace), policy("pay/n", .namespace),
                policy("root/m2", .mesh), policy("root/m1", .mesh),
            ])
        #expect(
            mesh.policies(for: web).map(\.name.description)
                == ["root/m1", "root/m2", "shop/n1", "shop/n2", "shop/own-a", "shop/own-b"])
        #expect(mesh.missingPolicies(for: web) == [named("shop/gone")])
        mesh.apply(.policyUpserted(policy("shop/n1", .workload)))
        mesh.apply(.policyRemoved(named("root/m1")))
        #expect(
            mesh.policies(for: web).map(\.name.description) == ["root/m2", "shop/n2", "shop/own-a", "shop/own-b"])
    }

    @Test func `allows egress and bounds nothing unless a namespace says so`() {
        var mesh = mesh()
        #expect(mesh.namespacePolicy(of: "shop") == NamespacePolicy(egress: .allow, limits: ConnectionLimits()))
        let strict = NamespacePolicy(egress: .deny, limits: ConnectionLimits(streamsPerPeer: 3))
        mesh.apply(.namespacePolicyUpserted(namespace: "shop", strict))
        #expect(mesh.namespacePolicy(of: "shop") == strict)
        #expect(mesh.egressMode(ofNamespace: "shop") == .deny)
        #expect(mesh.egressMode(ofNamespace: "pay") == .allow)
        #expect(mesh.namespacesWithPolicy == ["shop"])
        #expect(!strict.limits.isEmpty)
        mesh.apply(.namespacePolicyRemoved("shop"))
        #expect(mesh.namespacePolicy(of: "shop").limits.isEmpty)
        #expect(mesh.egressMode(ofNamespace: "shop") == .allow)
        #expect(mesh.namespacesWithPolicy.isEmpty)
    }

    @Test func `knows the enrolled workloads of each node`() {
        var mesh = mesh([
            pod("b"), pod("a"), pod("other", node: "node-b"), pod("plain", enrolled: false),
            pod("shared", hostNetwork: true),
        ])
        #expect(mesh.enrolledWorkloads(onNode: "node-a").map(\.name) == ["a", "b"])
        mesh.apply(.workloadUpserted(pod("a", node: "node-b")))
        mesh.apply(.workloadUpserted(pod("b", enrolled: false)))
        #expect(mesh.enrolledWorkloads(onNode: "node-a").isEmpty)
        #expect(mesh.enrolledWorkloads(onNode: "node-b").map(\.name) == ["a", "other"])
        mesh.apply(.workloadRemoved(pod("other").uid))
        #expect(mesh.enrolledWorkloads(onNode: "node-b").map(\.name) == ["a"])
    }

    @Test func `equals one built afresh after any sequence of changes`() {
        var random = SeededGenerator(state: 7)
        var mesh = MeshSnapshot()
        var pods: [WorkloadUID: Workload] = [:]
        for _ in 0..<3000 {
            let name = "p\(UInt8.random(in: 0..<20, using: &random))"
            if Bool.random(using: &random) {
                var pod = pod(
                    name, at: (0..<2).map { _ in "10.0.0.\(UInt8.random(in: 0..<12, using: &random))" },
                    hostNetwork: UInt8.random(in: 0..<5, using: &random) == 0, healthy: Bool.random(using: &random))
                pod = endpoint(pod, of: "s/\(UInt8.random(in: 0..<4, using: &random))")
                mesh.apply(.workloadUpserted(pod))
                pods[pod.uid] = pod
            } else {
                mesh.apply(.workloadRemoved(WorkloadUID(cluster: "Kubernetes", podNamespace: "shop", podName: name)))
                pods[WorkloadUID(cluster: "Kubernetes", podNamespace: "shop", podName: name)] = nil
            }
        }
        for last in 0..<12 {
            let address = ip("10.0.0.\(last)")
            let claimants = pods.values.filter { !$0.isHostNetwork && $0.addresses.contains(address) }
            let healthy = claimants.filter(\.isHealthy)
            let expected = (healthy.isEmpty ? claimants : healthy).min { $0.uid < $1.uid }
            #expect(mesh.workload(at: address) == expected)
            #expect(mesh.problems.contains { "\($0)".contains("\(address) ") } == (healthy.count > 1))
        }
        for number in 0..<4 {
            let expected = pods.values.filter { $0.services[named("s/\(number)")] != nil }.sorted { $0.uid < $1.uid }
            #expect(mesh.endpoints(of: named("s/\(number)")) == expected)
        }
        let enrolled = pods.values.filter { $0.isEnrolled && $0.node == "node-a" }.sorted { $0.uid < $1.uid }
        #expect(mesh.enrolledWorkloads(onNode: "node-a") == enrolled)
    }
}
