import Addressing
import Mesh
import TestSupport
import Testing

private struct Loads: LoadView {
    var active: [String: Int] = [:]
    var ejected: Set<String> = []
    func activeConnections(to endpoint: WorkloadUID) -> Int { active[name(endpoint)] ?? 0 }
    func isEjected(_ endpoint: WorkloadUID) -> Bool { ejected.contains(name(endpoint)) }
    private func name(_ uid: WorkloadUID) -> String { String(uid.text.split(separator: "/").last!) }
}

@Suite struct `The choice of an endpoint` {
    /// How often each endpoint is chosen in `rounds` draws.
    private func counts(
        _ endpoints: [Workload], policy: LoadBalancingPolicy = LoadBalancingPolicy(), notReady: Bool = false,
        affinity: Bool = false, load: Loads = Loads(), source: Workload = pod("web", at: ["10.0.0.1"], zone: "z1"),
        rounds: Int = 2000
    ) -> [String: Int] {
        let service = service("s/s", balancing: policy, notReady: notReady, affinity: affinity)
        let mesh = mesh(endpoints.map { endpoint($0, of: "s/s") }, [service])
        var random = SeededGenerator(state: 42)
        var counts: [String: Int] = [:]
        for _ in 0..<rounds {
            let balancer = LoadBalancer(snapshot: mesh, source: source, load: load, randomBits: random.next())
            if case .endpoint(let chosen) = balancer.choose(of: service, port: 80) {
                counts[chosen.name, default: 0] += 1
            }
        }
        return counts
    }

    private func pods(_ names: [String], zone: String = "z1", node: String = "node-a") -> [Workload] {
        names.map { pod($0, at: ["10.1.0.\(StableHash.of($0) % 250)"], node: node, zone: zone) }
    }

    @Test func `is even among equals`() {
        let counts = counts(pods(["a", "b", "c", "d"]), rounds: 4000)
        #expect(counts.count == 4)
        #expect(counts.values.allSatisfy { (850...1150).contains($0) })
    }

    @Test func `follows capacity`() {
        let big = pod("big", at: ["10.1.0.1"], zone: "z1", capacity: 3)
        let small = pod("small", at: ["10.1.0.2"], zone: "z1", capacity: 1)
        let third = pod("third", at: ["10.1.0.3"], zone: "z1", capacity: 1)
        let counts = counts([big, small, third], rounds: 4000)
        // Of 4,000 draws 3/5, 1/5, 1/5; five standard deviations are about 150.
        #expect((2250...2550).contains(counts["big"] ?? 0))
        #expect((650...950).contains(counts["small"] ?? 0))
    }

    @Test func `takes the less loaded of two`() {
        let counts = counts(pods(["a", "b"]), load: Loads(active: ["a": 10]))
        #expect(counts == ["b": 2000])
    }

    @Test func `weighs load by capacity`() {
        let big = pod("big", at: ["10.1.0.1"], zone: "z1", capacity: 10)
        let small = pod("small", at: ["10.1.0.2"], zone: "z1", capacity: 1)
        #expect(counts([big, small], load: Loads(active: ["big": 8, "small": 1])) == ["big": 2000])
        #expect(counts([big, small], load: Loads(active: ["big": .max, "small": 1])) == ["small": 2000])
    }

    @Test func `leaves out the unhealthy unless the service publishes them`() {
        let endpoints = pods(["a"]) + [pod("sick", at: ["10.1.0.9"], healthy: false, zone: "z1")]
        #expect(counts(endpoints) == ["a": 2000])
        #expect(counts(endpoints, notReady: true).count == 2)
    }

    @Test func `prefers the nearest and fails over`() {
        let policy = LoadBalancingPolicy(mode: .failover, scopes: [.network, .region, .zone])
        let near = pods(["near"])
        let far = pods(["far"], zone: "z2")
        #expect(counts(near + far, policy: policy) == ["near": 2000])
        #expect(counts(far, policy: policy) == ["far": 2000])
    }

    @Test func `reaches the node level without topology labels`() {
        let policy = LoadBalancingPolicy(mode: .failover, scopes: [.network, .region, .zone, .subzone, .node])
        let source = pod("web", at: ["10.0.0.1"])
        let here = pod("here", at: ["10.1.0.1"], node: "node-a")
        let there = pod("there", at: ["10.1.0.2"], node: "node-b")
        #expect(counts([here, there], policy: policy, source: source) == ["here": 2000])
    }

    @Test func `stays on the node when the traffic policy is Local`() {
        let policy = LoadBalancingPolicy(mode: .strict, scopes: [.node])
        #expect(counts(pods(["here"]) + pods(["there"], node: "node-b"), policy: policy) == ["here": 2000])
        #expect(counts(pods(["there"], node: "node-b"), policy: policy).isEmpty)
        #expect(counts(pods(["nowhere"], node: ""), policy: policy, source: pod("web", node: "")).isEmpty)
    }

    @Test func `spares the ejected but never all of them`() {
        #expect(counts(pods(["a", "b", "c"]), load: Loads(ejected: ["a", "c"])) == ["b": 2000])
        #expect(counts(pods(["a", "b"]), load: Loads(ejected: ["a", "b"])).count == 2)
    }

    @Test func `fails over when the nearest are all ejected`() {
        let policy = LoadBalancingPolicy(mode: .failover, scopes: [.zone])
        let endpoints = pods(["near"]) + pods(["far"], zone: "z2")
        #expect(counts(endpoints, policy: policy, load: Loads(ejected: ["near"])) == ["far": 2000])
    }

    @Test func `keeps a client on one endpoint under affinity`() {
        let names = (0..<10).map { "p\($0)" }
        var homes: [String: String] = [:]
        for client in 1...200 {
            let source = pod("web", at: ["10.0.1.\(client)"], zone: "z1")
            let counts = counts(pods(names), affinity: true, source: source, rounds: 5)
            #expect(counts.values.first == 5)
            homes["\(client)"] = counts.keys.first
        }
        #expect(Set(homes.values).count == 10)
        // One endpoint gone: only its clients move.
        for client in 1...200 where homes["\(client)"] != "p3" {
            let source = pod("web", at: ["10.0.1.\(client)"], zone: "z1")
            let counts = counts(pods(names.filter { $0 != "p3" }), affinity: true, source: source, rounds: 1)
            #expect(counts.keys.first == homes["\(client)"])
        }
    }
}

@Suite struct `An endpoint's health` {
    let start = ContinuousClock().now
    let uid = WorkloadUID("Kubernetes//Pod/shop/web")

    @Test func `ejects after failures in a row, for a growing time`() {
        var health = EndpointHealth()
        for _ in 1..<EndpointHealth.failureThreshold { health.connectFailed(to: uid, at: start) }
        #expect(!health.isEjected(uid, at: start))
        health.connectFailed(to: uid, at: start)
        #expect(health.isEjected(uid, at: start + .seconds(4.9)))
        #expect(!health.isEjected(uid, at: start + .seconds(5)))
        health.connectFailed(to: uid, at: start + .seconds(5))
        #expect(health.isEjected(uid, at: start + .seconds(14.9)))
        #expect(!health.isEjected(uid, at: start + .seconds(15)))
    }

    @Test func `forgets failures on a success`() {
        var health = EndpointHealth()
        for _ in 1..<EndpointHealth.failureThreshold { health.connectFailed(to: uid, at: start) }
        health.connectSucceeded(to: uid)
        health.connectFailed(to: uid, at: start)
        #expect(!health.isEjected(uid, at: start))
    }

    @Test func `never ejects for longer than the limit`() {
        var health = EndpointHealth()
        for _ in 0..<1000 { health.connectFailed(to: uid, at: start) }
        #expect(!health.isEjected(uid, at: start + EndpointHealth.longestEjection))
        health.endpointRemoved(uid)
        #expect(!health.isEjected(uid, at: start))
    }
}
