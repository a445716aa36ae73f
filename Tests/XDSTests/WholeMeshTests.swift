import Addressing
import Mesh
import TestSupport
import Testing

@testable import XDS

/// Draws meshes in which every field of every noun takes many values, and changes them.
private struct MeshDraw {
    var policies: PolicyDraw

    mutating func pick<Value>(_ values: [Value]) -> Value { policies.pick(values) }
    mutating func some<Value>(_ draw: (inout MeshDraw) -> Value) -> [Value] {
        let count = pick([0, 0, 1, 2, 3])
        return (0..<count).map { _ in draw(&self) }
    }
    mutating func flag() -> Bool { pick([false, true]) }
    mutating func text() -> String { pick(["", "a", "b-c", "\u{00e4}"]) }
    mutating func name() -> NamespacedName {
        NamespacedName(namespace: pick(["a", "b", "c"]), name: pick(["x", "y"]))
    }
    mutating func address() -> IPAddress { ip(pick(["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1", "fd00::2"])) }
    mutating func identity() -> SPIFFEID {
        Samples.identity(pick(["spiffe://td/ns/a/sa/b", "spiffe://example.org/ns/c/sa/d"]))
    }

    mutating func serviceName() -> NamespacedName {
        NamespacedName(namespace: pick(["a", "b"]), name: pick(["s", "t", "db.example.com", "u"]))
    }

    mutating func waypoint() -> WaypointAddress? {
        guard flag() else { return nil }
        let destination: WaypointAddress.Destination = flag() ? .service(serviceName()) : .address(address())
        return WaypointAddress(destination: destination, hbonePort: pick([15008, 1, 65535]))
    }

    mutating func workload() -> Workload {
        let name = pick(["w1", "w2", "w3", "w4", "w5"])
        var services: [NamespacedName: [PortMapping]] = [:]
        for service in some({ $0.serviceName() }) {
            services[service] = some {
                PortMapping(servicePort: $0.policies.port(), targetPort: $0.policies.port())
            }
        }
        return Workload(
            uid: WorkloadUID("c//Pod/ns/\(name)"), name: name, namespace: pick(["a", "b"]),
            serviceAccount: pick(["default", "robot"]), trustDomain: identity().trustDomain, cluster: text(),
            node: text(), addresses: some { $0.address() }, isHostNetwork: flag(),
            tunnelProtocol: pick([.none, .hbone]), isHealthy: flag(),
            locality: Locality(region: text(), zone: text(), subzone: text()),
            owner: WorkloadOwner(kind: pick([.deployment, .cronjob, .job, .pod]), name: text()),
            canonicalName: text(), canonicalRevision: text(), services: services, policies: some { $0.name() },
            waypoint: waypoint(),
            waypointExceptions: WaypointExceptions(
                ports: some { $0.policies.port() }, serviceAccounts: some { $0.policies.account() }),
            capacity: pick([1, 2, .max]))
    }

    mutating func service() -> Service {
        let name = serviceName()
        var ports: [UInt16: ServicePort] = [:]
        for port in some({ $0.policies.port() }) {
            ports[port] = ServicePort(port: port, name: text(), appProtocol: text())
        }
        return Service(
            name: name, hostname: ServiceNaming().hostname(of: name), addresses: some { $0.policies.block() },
            ports: ports.values.sorted { $0.port < $1.port }, subjectAltNames: some { $0.identity() },
            waypoint: waypoint(),
            loadBalancing: LoadBalancingPolicy(
                mode: pick([.unspecified, .strict, .failover]),
                scopes: some { $0.pick([.network, .region, .zone, .subzone, .node, .cluster]) }),
            publishesNotReady: flag(), hasClientAffinity: flag())
    }

    mutating func namespacePolicy() -> NamespacePolicy {
        NamespacePolicy(
            egress: pick(EgressMode.allCases),
            limits: ConnectionLimits(
                connectionsPerWorkload: pick([nil, 1, .max]), newConnectionsPerSecond: pick([nil, 7]),
                streamsPerPeer: pick([nil, 100])))
    }

    mutating func change() -> MeshChange {
        switch pick(Array(0..<10)) {
        case 0...2: .workloadUpserted(workload())
        case 3: .workloadRemoved(workload().uid)
        case 4...5: .serviceUpserted(service())
        case 6: .serviceRemoved(serviceName())
        case 7: .policyUpserted(policies.policy().normalised)
        case 8: flag() ? .policyRemoved(policies.policy().name) : .namespacePolicyRemoved(pick(["a", "b"]))
        default: .namespacePolicyUpserted(namespace: pick(["a", "b", "c"]), namespacePolicy())
        }
    }
}

/// What changes add up to: by its key, the last that was said of it.
private struct MeshSum {
    var state: [ResourceKey: MeshChange] = [:]

    mutating func apply(_ changes: [MeshChange]) {
        for change in changes {
            let key = ResourceKey(change)
            state[key] = change == key.removal ? nil : change
        }
    }
}

/// A client with its server, connected by bytes.
private struct Line: ~Copyable {
    var server = DeltaServer()
    var client = DeltaClient(nodeID: "n")
    var id: DeltaServer.ClientID = 0
    var mesh = MeshSum()

    mutating func connect() throws {
        server.disconnected(id)
        id += 1
        server.connected(id)
        for request in client.connected() { try send(request) }
    }

    mutating func send(_ request: DeltaRequest) throws {
        let bytes: [UInt8] = try request.serializedBytes()
        let received = server.received(try DeltaRequest(serializedBytes: bytes), from: id)
        #expect(received.refusal == nil)
        try deliver(received.outgoing)
    }

    mutating func deliver(_ outgoing: [DeltaServer.Outgoing]) throws {
        for item in outgoing where item.client == id {
            let bytes: [UInt8] = try item.response.serializedBytes()
            let update = client.received(try DeltaResponse(serializedBytes: bytes))
            #expect(update.rejections.isEmpty)
            mesh.apply(update.changes)
            try send(update.reply)
        }
    }
}

@Suite struct `A mesh of any shape` {
    @Test(arguments: [UInt64(1), 2, 3, 4])
    func `is at the worker exactly what it is at the controller, over a subscriber and its breaks`(seed: UInt64) throws
    {
        var draw = MeshDraw(policies: PolicyDraw(generator: SeededGenerator(state: seed)))
        var controller = MeshSum()
        var near = Line()
        var far = Line()
        _ = near.server.initialSetApplied()
        try near.connect()
        for step in 0..<600 {
            let changes = (0..<draw.pick([1, 1, 2, 8])).map { _ in draw.change() }
            controller.apply(changes)
            let before = near.mesh
            let applied = near.server.applied(changes)
            #expect(applied.problems.isEmpty)
            try near.deliver(applied.outgoing)
            #expect(near.mesh.state == controller.state)
            // The subscriber passes on what changed for it.
            let gone = before.state.keys.filter { near.mesh.state[$0] == nil }.map(\.removal)
            let passed = far.server.applied(
                gone + near.mesh.state.filter { before.state[$0.key] != $0.value }.map(\.value))
            #expect(passed.problems.isEmpty)
            try far.deliver(passed.outgoing)
            if step == 10 { try far.deliver(far.server.initialSetApplied()) }
            if step == 5 || step % 50 == 49 { try far.connect() }
            if step % 70 == 69 { try near.connect() }
            if step > 10 { #expect(far.mesh.state == controller.state) }
        }
        #expect(controller.state.count > 8 && far.client.isComplete)
        #expect(Set(controller.state.keys.map(\.type)) == Set(ResourceType.allCases))
    }
}
