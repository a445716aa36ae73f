import FoundationEssentials
import Mesh
import SwiftProtobuf
import Testing

@testable import XDS

@Suite struct `A resource that makes no sense` {
    let translator = Translator()

    private func refusal(of change: () throws -> some Any) -> XDSError? {
        do {
            _ = try change()
            return nil
        } catch {
            return error as? XDSError
        }
    }

    private typealias Edit<Message> = @Sendable (inout Message) -> Void

    @Test func `is refused by name when it is a workload`() throws {
        let edits: [(XDSError.Code, Edit<Istio_Workload_Workload>)] = [
            (.invalidResource, { $0.addresses = [Data([1, 2, 3])] }),
            (.invalidResource, { $0.addresses = [Data()] }),
            (.invalidResource, { $0.addresses = [Data(count: 17)] }),
            (.invalidResource, { $0.namespace = "" }),
            (.invalidResource, { $0.namespace = "a/b" }),
            (.invalidResource, { $0.trustDomain = "Upper" }),
            (.invalidResource, { $0.services["pay/api.pay.svc.cluster.local"]!.ports[0].servicePort = 65536 }),
            (.invalidResource, { $0.services["pay/api.pay.svc.cluster.local"]!.ports[0].targetPort = 0 }),
            (.invalidResource, { $0.services["noslash"] = .init() }),
            (.invalidResource, { $0.services["a/b/c.d"] = .init() }),
            (.invalidResource, { $0.services["a/nodot"] = .init() }),
            (.invalidResource, { $0.authorizationPolicies = ["name"] }),
            (.invalidResource, { $0.authorizationPolicies = ["/name"] }),
            (.invalidResource, { $0.waypoint = .init() }),
            (.invalidResource, { $0.waypoint.hboneMtlsPort = .max }),
            (.invalidResource, { $0.waypoint.address.address = Data([1]) }),
            (.invalidResource, { $0.waypoint.hostname.hostname = "" }),
            (.unsupportedResource, { $0.tunnelProtocol = .UNRECOGNIZED(9) }),
            (.unsupportedResource, { $0.networkMode = .UNRECOGNIZED(9) }),
            (.unsupportedResource, { $0.status = .UNRECOGNIZED(9) }),
            (.unsupportedResource, { $0.workloadType = .UNRECOGNIZED(9) }),
        ]
        for (index, (code, edit)) in edits.enumerated() {
            var message = try translator.message(of: Samples.workload)
            edit(&message)
            let error = refusal { try translator.workload(message) }
            #expect(error?.code == code, "edit \(index)")
            #expect(error?.message.contains("c1//Pod/pay/api-7") == true, "edit \(index)")
        }
        #expect(refusal { try translator.workload(.init()) }?.code == .invalidResource)
    }

    @Test func `is refused by name when it is a service`() throws {
        let edits: [(XDSError.Code, Edit<Istio_Workload_Service>)] = [
            (.invalidResource, { $0.addresses[0].address = Data([1, 2, 3]) }),
            (.invalidResource, { $0.ports[0].servicePort = 70000 }),
            (.unsupportedResource, { $0.subjectAltNames = ["db.example.com"] }),
            (.unsupportedResource, { $0.loadBalancing.mode = .passthrough }),
            (.unsupportedResource, { $0.loadBalancing.mode = .UNRECOGNIZED(9) }),
            (.unsupportedResource, { $0.loadBalancing.healthPolicy = .UNRECOGNIZED(9) }),
            (.unsupportedResource, { $0.loadBalancing.routingPreference = [.UNRECOGNIZED(9)] }),
            (.invalidResource, { $0.loadBalancing.routingPreference = [.unspecifiedScope] }),
            (.invalidResource, { $0.extensions[0].config.value = Data([0xff]) }),
            (.invalidResource, { $0.extensions[0].config.typeURL = "type.googleapis.com/other" }),
        ]
        for (index, (code, edit)) in edits.enumerated() {
            var message = try translator.message(of: Samples.service)
            edit(&message)
            let error = refusal { try translator.service(message) }
            #expect(error?.code == code, "edit \(index)")
            #expect(error?.message.contains("pay/api.pay.svc.cluster.local") == true, "edit \(index)")
        }
        #expect(refusal { try translator.service(.init()) }?.code == .invalidResource)
    }

    @Test func `is refused by name when it is a policy`() {
        let edits: [(XDSError.Code, Edit<Istio_Security_Authorization>)] = [
            (.invalidResource, { $0.namespace = "" }),
            (.unsupportedResource, { $0.scope = .UNRECOGNIZED(9) }),
            (.unsupportedResource, { $0.action = .UNRECOGNIZED(9) }),
            (.unsupportedResource, { $0.details.action = .UNRECOGNIZED(9) }),
            (.unsupportedResource, { $0.details.origin = .UNRECOGNIZED(9) }),
            (.unsupportedResource, { $0.rules[0].clauses[0].matches[0].principals[0] = .init() }),
            (.invalidResource, { $0.rules[0].clauses[0].matches[0].sourceIps[0].length = 33 }),
            (.invalidResource, { $0.rules[0].clauses[0].matches[0].sourceIps[0].length = .max }),
            (.invalidResource, { $0.rules[0].clauses[0].matches[0].sourceIps[0].address = Data([1, 2, 3]) }),
            (.invalidResource, { $0.rules[0].clauses[0].matches[0].destinationPorts[0] = 65536 }),
            (.invalidResource, { $0.rules[0].clauses[0].matches[0].serviceAccounts[0] = .init() }),
        ]
        for (index, (code, edit)) in edits.enumerated() {
            var message = translator.message(of: Samples.policy)
            edit(&message)
            let error = refusal { try translator.policy(message) }
            #expect(error?.code == code, "edit \(index)")
            if index > 0 { #expect(error?.message.contains("pay/p1") == true, "edit \(index)") }
        }
    }

    @Test func `is refused when a rule has a condition that is not known`() throws {
        var policy = Samples.policy
        policy.action = .allow
        let message = translator.message(of: policy)
        // Field 990 of the match, as a fork has it: ports.
        let unknown: [UInt8] = [0xf2, 0x3d, 0x00]
        var match = message.rules[0].clauses[0].matches[0]
        try match.merge(serializedBytes: unknown)
        var changed = message
        changed.rules[0].clauses[0].matches[0] = match
        #expect(refusal { try translator.policy(changed) }?.code == .unsupportedResource)
    }

    @Test func `counts a mapped IPv6 block as the IPv4 block that it is`() throws {
        var message = translator.message(of: Samples.policy)
        message.rules[0].clauses[0].matches[0].sourceIps[0].address = Data(
            [UInt8](repeating: 0, count: 10) + [255, 255, 10, 2, 0, 0])
        message.rules[0].clauses[0].matches[0].sourceIps[0].length = 112
        #expect(
            try translator.policy(message).rules[0].clauses[0].matches[0].sourceIPs == [Samples.prefix("10.2.0.0/16")])
        message.rules[0].clauses[0].matches[0].sourceIps[0].length = 95
        #expect(refusal { try translator.policy(message) }?.code == .invalidResource)
    }

    @Test func `is refused when it bears another's name or type`() throws {
        var resource = try #require(try translator.resource(of: .workloadUpserted(Samples.workload)))
        resource.name = "other"
        #expect(refusal { try translator.change(of: resource, type: .address) }?.code == .invalidResource)
        resource = try #require(try translator.resource(of: .workloadUpserted(Samples.workload)))
        #expect(refusal { try translator.change(of: resource, type: .authorization) }?.code == .malformedMessage)
        resource.resource.value.append(0xff)
        #expect(refusal { try translator.change(of: resource, type: .address) }?.code == .malformedMessage)
        resource.clearResource()
        #expect(refusal { try translator.change(of: resource, type: .address) }?.code == .malformedMessage)
        resource.resource = try AnyResource.pack(Istio_Workload_Address())
        #expect(refusal { try translator.change(of: resource, type: .address) }?.code == .unsupportedResource)
    }

    @Test func `never traps, whatever bytes it is made of`() throws {
        var generator = SeededGenerator(state: 7)
        for change in [
            MeshChange.workloadUpserted(Samples.workload), .serviceUpserted(Samples.service),
            .policyUpserted(Samples.policy),
        ] {
            let resource = try #require(try translator.resource(of: change))
            for _ in 0..<3000 {
                var mutant = resource
                for _ in 0...Int.random(in: 0...3, using: &generator) {
                    let index = Int.random(in: 0..<mutant.resource.value.count, using: &generator)
                    mutant.resource.value[index] = UInt8.random(in: .min ... .max, using: &generator)
                }
                _ = refusal { try translator.change(of: mutant, type: ResourceKey(change).type) }
            }
        }
    }
}

/// SplitMix64: the same numbers in every run.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
