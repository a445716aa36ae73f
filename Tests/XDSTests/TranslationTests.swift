import Addressing
import Mesh
import SwiftProtobuf
import TestSupport
import Testing

@testable import XDS

@Suite struct `Translation to the wire and back` {
    let translator = Translator()

    private func roundTrip(_ change: MeshChange) throws -> MeshChange {
        let resource = try #require(try translator.resource(of: change))
        let bytes: [UInt8] = try resource.serializedBytes()
        return try translator.change(of: try WireResource(serializedBytes: bytes), type: ResourceKey(change).type)
    }

    @Test func `keeps every field of a workload`() throws {
        #expect(try roundTrip(.workloadUpserted(Samples.workload)) == .workloadUpserted(Samples.workload))
        #expect(try roundTrip(.workloadUpserted(Samples.workload(1))) == .workloadUpserted(Samples.workload(1)))
    }

    @Test(arguments: [WorkloadOwner.Kind.deployment, .cronjob, .job, .pod])
    func `keeps every kind of owner`(kind: WorkloadOwner.Kind) throws {
        var workload = Samples.workload
        workload.owner.kind = kind
        #expect(try roundTrip(.workloadUpserted(workload)) == .workloadUpserted(workload))
    }

    @Test func `keeps every field of a service`() throws {
        #expect(try roundTrip(.serviceUpserted(Samples.service)) == .serviceUpserted(Samples.service))
        var service = Samples.service
        service.loadBalancing.mode = .strict
        service.waypoint = nil
        service.addresses = [
            Samples.prefix("10.96.0.1"), Samples.prefix("240.240.0.0/16"), Samples.prefix("fd01::/32"),
        ]
        #expect(try roundTrip(.serviceUpserted(service)) == .serviceUpserted(service))
        service = Service(
            name: NamespacedName(namespace: "pay", name: "db.example.com"), hostname: "db.example.com", addresses: [],
            ports: [])
        #expect(try roundTrip(.serviceUpserted(service)) == .serviceUpserted(service))
    }

    @Test func `keeps every field of what holds for a namespace`() throws {
        for egress in EgressMode.allCases {
            for limits in [ConnectionLimits(), Samples.namespacePolicy.limits, ConnectionLimits(streamsPerPeer: 7)] {
                let change = MeshChange.namespacePolicyUpserted(
                    namespace: "pay", NamespacePolicy(egress: egress, limits: limits))
                #expect(try roundTrip(change) == change)
            }
        }
        #expect(ResourceType.namespacePolicy.typeURL == "type.googleapis.com/meshnode.wire.NamespacePolicy")
    }

    @Test func `takes no bound that it does not understand for none`() throws {
        let good = translator.message(of: Samples.namespacePolicy, namespace: "pay")
        let changes: [(inout Meshnode_Wire_NamespacePolicy) -> Void] = [
            { $0.namespace = "" }, { $0.egress = .unknown }, { $0.egress = .UNRECOGNIZED(9) },
            { $0.streamsPerPeer = 0 },
            { $0.connectionsPerWorkload = .max },
            { message in
                let more: [UInt8] = [0x98, 0x06, 0x01]
                let bytes: [UInt8] = (try? message.serializedBytes()) ?? []
                message = (try? Meshnode_Wire_NamespacePolicy(serializedBytes: bytes + more)) ?? message
            },
        ]
        for change in changes {
            var message = good
            change(&message)
            #expect(throws: XDSError.self) { try translator.namespacePolicy(message) }
        }
    }

    @Test func `refuses exceptions and parts of rules that make no sense`() throws {
        var workload = try translator.message(of: Samples.workload)
        let details = Meshnode_Wire_WorkloadDetails.with { $0.waypointExceptionPorts = [70000] }
        workload.extensions[0].config = try AnyResource.pack(details)
        #expect(throws: XDSError.self) { try translator.workload(workload) }
        workload.extensions[0].config = try AnyResource.pack(
            Meshnode_Wire_WorkloadDetails.with { $0.waypointExceptionAccounts = [.with { $0.name = "a/b" }] })
        #expect(throws: XDSError.self) { try translator.workload(workload) }
        workload.extensions[0].config.value = .init([0xff])
        #expect(throws: XDSError.self) { try translator.workload(workload) }
        var policy = translator.message(of: Samples.policy)
        policy.details.httpParts.reverse()
        #expect(throws: XDSError.self) { try translator.policy(policy) }
    }

    @Test func `numbers rules like the controller where some were dropped`() throws {
        var policy = Samples.policy
        policy.httpParts = [
            HTTPPart(rule: 0, isDropped: true, fields: ["to[].operation.paths"]),
            HTTPPart(rule: 2, isDropped: true, fields: ["to[].operation.paths"]),
        ]
        guard case .policyUpserted(let received) = try roundTrip(.policyUpserted(policy)) else { return }
        #expect([0, 1].map(received.ruleNumber) == [1, 3])
    }

    @Test(arguments: [AuthorizationPolicy.Action.allow, .deny, .audit, .custom])
    func `keeps every field of a policy`(action: AuthorizationPolicy.Action) throws {
        for scope in [AuthorizationPolicy.Scope.mesh, .namespace, .workload] {
            for origin in [AuthorizationPolicy.Origin.authorizationPolicy, .peerAuthentication] {
                var policy = Samples.policy
                policy.action = action
                policy.scope = scope
                policy.origin = origin
                policy.isDryRun.toggle()
                #expect(try roundTrip(.policyUpserted(policy)) == .policyUpserted(policy))
            }
        }
    }

    @Test func `keeps the meaning of clauses and matches that are empty`() throws {
        var port = AuthorizationMatch()
        port.destinationPorts = [80]
        let empty = AuthorizationMatch()
        // What the mesh has, how the wire says the same, what it is read back as.
        let inAllow: [([AuthorizationMatch], Int, [AuthorizationMatch])] = [
            ([], 1, [empty]), ([empty], 1, [empty]), ([port, empty], 2, [port, empty]), ([port], 1, [port]),
        ]
        let inDeny: [([AuthorizationMatch], Int, [AuthorizationMatch])] = [
            ([], 0, []), ([empty], 0, []), ([port, empty], 0, []), ([port], 1, [port]),
        ]
        for (action, cases) in [(AuthorizationPolicy.Action.allow, inAllow), (.deny, inDeny), (.custom, inDeny)] {
            for (matches, count, result) in cases {
                var policy = Samples.policy
                policy.action = action
                policy.rules = [AuthorizationRule(clauses: [AuthorizationClause(kind: .to, matches: matches)])]
                let message = translator.message(of: policy)
                #expect(message.rules[0].clauses[0].matches.count == count, "\(action) \(matches)")
                #expect(try translator.policy(message).rules[0].clauses[0].matches == result, "\(action) \(matches)")
            }
        }
    }

    @Test func `reads what is empty as the wire means it`() throws {
        var message = Istio_Security_Authorization()
        message.namespace = "a"
        message.name = "b"
        var always = Istio_Security_Rule()
        always.clauses = [Istio_Security_Clause()]
        var never = always
        never.clauses[0].matches = [Istio_Security_Match()]
        message.rules = [always, never]
        message.action = .allow
        let allow = try translator.policy(message)
        // Without clauses a rule always matches; a match without fields never does in an ALLOW.
        #expect(allow.rules.map { $0.clauses.map(\.matches) } == [[], [[AuthorizationMatch()]]])
        message.action = .deny
        let deny = try translator.policy(message)
        // A clause without matches always matches in a DENY; what never does is left out.
        #expect(deny.rules.map { $0.clauses.map(\.matches) } == [[[]]])
    }

    @Test func `shows a peer without our extensions nothing that allows more`() throws {
        var policy = Samples.policy
        policy.action = .audit
        var message = translator.message(of: policy)
        #expect(message.action == .deny && message.rules.isEmpty)
        policy.action = .custom
        message = translator.message(of: policy)
        #expect(message.action == .deny && message.rules.count == policy.rules.count)
    }

    @Test func `has the field numbers of the ambient wire format`() throws {
        var workload = Samples.workload(1)
        workload.node = ""
        let bytes: [UInt8] = try translator.message(of: workload).serializedBytes()
        var decoder = Set<Int>()
        var index = 0
        // Walks the top level: varints and length-delimited fields are all there is.
        while index < bytes.count {
            var tag = 0
            var shift = 0
            repeat {
                tag |= Int(bytes[index] & 0x7f) << shift
                shift += 7
                index += 1
            } while bytes[index - 1] & 0x80 != 0
            decoder.insert(tag >> 3)
            if tag & 7 == 2 {
                index += Int(bytes[index]) + 1
            } else {
                while bytes[index] & 0x80 != 0 { index += 1 }
                index += 1
            }
        }
        // name, namespace, addresses, trust domain, service account, canonical name and revision, type, workload name,
        // cluster, uid, locality, capacity.
        #expect(decoder == [1, 2, 3, 6, 7, 10, 11, 12, 13, 18, 20, 24, 27])
        #expect(ResourceType.address.typeURL == "type.googleapis.com/istio.workload.Address")
        #expect(ResourceType.authorization.typeURL == "type.googleapis.com/istio.security.Authorization")
    }

    @Test func `reads what an ambient control plane leaves out`() throws {
        var message = Istio_Workload_Workload()
        message.uid = "Kubernetes//Pod/shop/web"
        message.name = "web"
        message.namespace = "shop"
        message.waypoint.address.address = ip("10.0.0.9").data
        let workload = try translator.workload(message)
        #expect(workload.identity.description == "spiffe://cluster.local/ns/shop/sa/default")
        #expect(workload.capacity == 1 && workload.isHealthy && workload.tunnelProtocol == .none)
        #expect(workload.waypoint?.hbonePort == 15008)
    }

    @Test(arguments: [
        ("istio_converted_static_strict", AuthorizationPolicy.Origin.peerAuthentication),
        ("converted_peer_authentication_default", .peerAuthentication), ("converted", .authorizationPolicy),
    ])
    func `knows a converted PeerAuthentication by its name`(name: String, origin: AuthorizationPolicy.Origin) throws {
        var message = Istio_Security_Authorization()
        message.namespace = "root"
        message.name = name
        #expect(try translator.policy(message).origin == origin)
    }

    @Test func `guesses what a clause is about where it is not said`() throws {
        var policy = Samples.policy
        policy.rules[0].clauses.removeLast()
        var message = translator.message(of: policy)
        for index in message.rules[0].clauses.indices { message.rules[0].clauses[index].kind = .clauseUnknown }
        message.rules[0].clauses[0].matches = [message.rules[0].clauses[0].matches[0]]
        message.rules[0].clauses[0].matches[0].destinationIps = []
        message.rules[0].clauses[0].matches[0].notDestinationIps = []
        message.rules[0].clauses[0].matches[0].destinationPorts = []
        message.rules[0].clauses[0].matches[0].notDestinationPorts = []
        #expect(try translator.policy(message).rules[0].clauses.map(\.kind) == [.from, .to])
    }

    @Test func `refuses to send a service under a name that is another's`() {
        var service = Samples.service
        service.hostname = "other.pay.svc.cluster.local"
        #expect { try translator.message(of: service) } throws: { ($0 as? XDSError)?.code == .notRepresentable }
    }

    @Test func `gives the same version to the same content every time`() throws {
        var versions = Set<String>()
        for _ in 0..<20 {
            // A new dictionary has a new order.
            var workload = Samples.workload
            workload.services = Dictionary(uniqueKeysWithValues: workload.services.map { ($0, $1) })
            for number in 0..<20 { workload.services[NamespacedName(namespace: "n", name: "s\(number)")] = [] }
            versions.insert(try #require(try translator.resource(of: .workloadUpserted(workload))).version)
        }
        #expect(versions.count == 1)
        #expect(ContentHash.text(of: .init("hello".utf8)) == "e3e1efd54283d94f7081314b599d31b3")
    }
}
