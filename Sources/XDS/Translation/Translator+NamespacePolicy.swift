package import Mesh
import SwiftProtobuf

extension Translator {
    /// What holds for the pods of `namespace`, as the wire has it.
    package func message(of policy: NamespacePolicy, namespace: String) -> Meshnode_Wire_NamespacePolicy {
        var message = Meshnode_Wire_NamespacePolicy()
        message.namespace = namespace
        message.egress =
            switch policy.egress {
            case .allow: .allow
            case .registryOnly: .registryOnly
            case .deny: .deny
            }
        if let limit = Self.number(policy.limits.connectionsPerWorkload) { message.connectionsPerWorkload = limit }
        if let limit = Self.number(policy.limits.newConnectionsPerSecond) { message.newConnectionsPerSecond = limit }
        if let limit = Self.number(policy.limits.streamsPerPeer) { message.streamsPerPeer = limit }
        return message
    }

    /// The namespace and what holds for its pods.
    /// - Throws: `invalidResource` or `unsupportedResource`, naming the namespace. What is not understood is never taken
    ///   for "no bound".
    package func namespacePolicy(
        _ message: Meshnode_Wire_NamespacePolicy
    ) throws(XDSError) -> (namespace: String, policy: NamespacePolicy) {
        let reader = WireReader(resource: "policy of namespace \(message.namespace)")
        let namespace = try reader.segment(message.namespace, "the namespace")
        guard message.unknownFields.data.isEmpty else {
            throw reader.unsupported("it has bounds that are not known")
        }
        var policy = NamespacePolicy(egress: try egress(message.egress, reader))
        if message.hasConnectionsPerWorkload {
            policy.limits.connectionsPerWorkload = try reader.limit(message.connectionsPerWorkload)
        }
        if message.hasNewConnectionsPerSecond {
            policy.limits.newConnectionsPerSecond = try reader.limit(message.newConnectionsPerSecond)
        }
        if message.hasStreamsPerPeer { policy.limits.streamsPerPeer = try reader.limit(message.streamsPerPeer) }
        return (namespace, policy)
    }

    private func egress(
        _ egress: Meshnode_Wire_NamespacePolicy.Egress, _ reader: WireReader
    ) throws(XDSError) -> EgressMode {
        switch egress {
        case .allow: .allow
        case .registryOnly: .registryOnly
        case .deny: .deny
        case .unknown: throw reader.invalid("it has no egress mode")
        case .UNRECOGNIZED(let value): throw reader.unsupported("egress mode \(value) is not known")
        }
    }

    private static func number(_ limit: Int?) -> UInt64? { limit.map { UInt64(clamping: max(1, $0)) } }
}

extension WireReader {
    fileprivate func limit(_ number: UInt64) throws(XDSError) -> Int {
        guard let limit = Int(exactly: number), limit > 0 else { throw invalid("\(number) is no bound") }
        return limit
    }
}
