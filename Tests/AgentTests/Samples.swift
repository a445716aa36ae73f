// swift-format-ignore-file: NeverForceUnwrap
// A value that a test spells wrongly ends the test run.

import Controller
import Foundation
import Kernel
import Mesh
import Resources
import TestSupport
import XDS

@testable import Agent

enum Samples {
    static let trustDomain = TrustDomain("cluster.local")!
    static let web = SPIFFEID(trustDomain: trustDomain, namespace: "shop", serviceAccount: "web")
    static let api = SPIFFEID(trustDomain: trustDomain, namespace: "pay", serviceAccount: "api")

    static func configuration(manifests: String = "/etc/mesh", authority: String = "/tmp/ca") -> AgentConfiguration {
        AgentConfiguration(
            controller: .embedded(
                .init(manifestDirectory: manifests, authority: AuthorityLocation(directory: authority))),
            node: "node-a")
    }

    static func settings(authority: AuthorityLocation) -> ControllerSettings {
        ControllerSettings(source: .init(manifestDirectory: "/etc/mesh", authority: authority))
    }

    static func uid(_ name: String) -> WorkloadUID {
        WorkloadUID(cluster: "Kubernetes", podNamespace: "shop", podName: name)
    }

    static func pod(_ name: String, _ address: String, excluding ports: [UInt16] = []) -> EnrolledPod {
        EnrolledPod(
            uid: uid(name), namespace: "shop", name: name, addresses: [ip(address)], excludedInboundPorts: ports)
    }

    static func workload(_ name: String, _ address: String, services: [NamespacedName] = [], isHealthy: Bool = true)
        -> Workload
    {
        Workload(
            uid: uid(name), name: name, namespace: "shop", serviceAccount: "web", trustDomain: trustDomain,
            node: "node-a", addresses: [ip(address)], tunnelProtocol: .hbone, isHealthy: isHealthy,
            services: Dictionary(
                uniqueKeysWithValues: services.map { ($0, [PortMapping(servicePort: 80, targetPort: 8080)]) }))
    }

    static func service(_ name: String, publishesNotReady: Bool = false) -> Service {
        Service(
            name: NamespacedName(namespace: "shop", name: name), hostname: "\(name).shop.svc.cluster.local",
            addresses: [], ports: [ServicePort(port: 80)], publishesNotReady: publishesNotReady)
    }

    static func policy(_ name: String, _ action: AuthorizationPolicy.Action) -> AuthorizationPolicy {
        AuthorizationPolicy(
            name: NamespacedName(namespace: "shop", name: name), scope: .namespace, action: action,
            rules: [AuthorizationRule(clauses: [])])
    }
}

/// A directory of a test; removed in the end.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("meshnode-test-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

extension DescriptorList {
    /// Gives up the one at `index`, which a test has not taken before.
    func end(_ index: Int) throws -> Descriptor {
        guard let descriptor = take(at: index) else { throw SystemError("take", SystemError.badDescriptor) }
        return descriptor
    }
}

/// The far end of a stream, as whoever is there holds it.
final class PlainEnd {
    private var descriptor: Descriptor?

    init(_ descriptor: consuming Descriptor) {
        // As every process of the agent does first: a write to an end that is gone is an error, not a signal.
        SignalSource.ignoreBrokenPipes()
        self.descriptor = consume descriptor
    }

    func write(_ bytes: some Sequence<UInt8>) throws { try descriptor?.writeAll(Array(bytes)) }

    func close() { descriptor = nil }
}
