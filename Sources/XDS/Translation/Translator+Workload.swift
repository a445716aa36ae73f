import Addressing
package import Mesh
import SwiftProtobuf

extension Translator {
    /// A workload as the wire has it.
    /// - Throws: `notRepresentable` if our extension of it cannot be encoded.
    package func message(of workload: Workload) throws(XDSError) -> Istio_Workload_Workload {
        var message = Istio_Workload_Workload()
        message.uid = workload.uid.text
        message.name = workload.name
        message.namespace = workload.namespace
        message.serviceAccount = workload.serviceAccount
        message.trustDomain = workload.trustDomain.name
        message.clusterID = workload.cluster
        message.node = workload.node
        message.addresses = workload.addresses.map(\.data)
        message.networkMode = workload.isHostNetwork ? .hostNetwork : .standard
        message.tunnelProtocol = workload.tunnelProtocol == .hbone ? .hbone : .none
        message.status = workload.isHealthy ? .healthy : .unhealthy
        message.locality.region = workload.locality.region
        message.locality.zone = workload.locality.zone
        message.locality.subzone = workload.locality.subzone
        message.workloadType = Self.type(of: workload.owner.kind)
        message.workloadName = workload.owner.name
        message.canonicalName = workload.canonicalName
        message.canonicalRevision = workload.canonicalRevision
        for (service, ports) in workload.services { message.services[naming.key(of: service)] = portList(ports) }
        message.authorizationPolicies = workload.policies.map(\.description)
        if let waypoint = workload.waypoint { message.waypoint = self.message(of: waypoint) }
        message.capacity.value = workload.capacity
        if let details = try details(of: workload) { message.extensions = [details] }
        return message
    }

    /// The workload that `message` describes.
    /// - Throws: `invalidResource` or `unsupportedResource`, naming the workload.
    package func workload(_ message: Istio_Workload_Workload) throws(XDSError) -> Workload {
        let reader = WireReader(resource: "workload \(message.uid)")
        var workload = Workload(
            uid: WorkloadUID(try reader.required(message.uid, "the uid")),
            name: message.name, namespace: try reader.segment(message.namespace, "the namespace"),
            serviceAccount: message.serviceAccount.isEmpty ? Self.defaultServiceAccount : message.serviceAccount,
            trustDomain: try trustDomain(message.trustDomain, reader),
            cluster: message.clusterID, node: message.node, addresses: [],
            owner: WorkloadOwner(kind: try ownerKind(message.workloadType, reader), name: message.workloadName),
            canonicalName: message.canonicalName, canonicalRevision: message.canonicalRevision)
        for bytes in message.addresses { workload.addresses.append(try reader.address(bytes)) }
        workload.locality = Locality(
            region: message.locality.region, zone: message.locality.zone, subzone: message.locality.subzone)
        try readTraffic(of: message, into: &workload, reader)
        return workload
    }

    /// How the workload is reached and what applies to it.
    private func readTraffic(
        of message: Istio_Workload_Workload, into workload: inout Workload, _ reader: WireReader
    ) throws(XDSError) {
        workload.isHostNetwork = try isHostNetwork(message.networkMode, reader)
        workload.tunnelProtocol = try tunnelProtocol(message.tunnelProtocol, reader)
        workload.isHealthy = try isHealthy(message.status, reader)
        for (key, list) in message.services {
            guard let service = naming.name(key: key) else { throw reader.invalid("'\(key)' is no service") }
            workload.services[service] = try portMappings(list, reader)
        }
        for key in message.authorizationPolicies {
            guard let policy = NamespacedName(key: key) else { throw reader.invalid("'\(key)' is no policy") }
            workload.policies.append(policy)
        }
        if message.hasWaypoint { workload.waypoint = try waypoint(message.waypoint, reader) }
        workload.capacity = message.hasCapacity ? max(1, message.capacity.value) : 1
        try readDetails(message.extensions, into: &workload, reader)
    }

    private func portList(_ mappings: [PortMapping]) -> Istio_Workload_PortList {
        var list = Istio_Workload_PortList()
        list.ports = mappings.map { mapping in
            var port = Istio_Workload_Port()
            port.servicePort = UInt32(mapping.servicePort)
            port.targetPort = UInt32(mapping.targetPort)
            return port
        }
        return list
    }

    private func portMappings(
        _ list: Istio_Workload_PortList, _ reader: WireReader
    ) throws(XDSError) -> [PortMapping] {
        var mappings: [PortMapping] = []
        for port in list.ports {
            mappings.append(
                PortMapping(
                    servicePort: try reader.port(port.servicePort, "service port"),
                    targetPort: try reader.port(port.targetPort, "target port")))
        }
        return mappings
    }

    private func trustDomain(_ name: String, _ reader: WireReader) throws(XDSError) -> TrustDomain {
        guard let domain = TrustDomain(name.isEmpty ? Self.defaultTrustDomain : name) else {
            throw reader.invalid("'\(name)' is no trust domain")
        }
        return domain
    }

    private func isHostNetwork(
        _ mode: Istio_Workload_NetworkMode, _ reader: WireReader
    ) throws(XDSError) -> Bool {
        switch mode {
        case .standard: false
        case .hostNetwork: true
        case .UNRECOGNIZED(let value): throw reader.unsupported("network mode \(value) is not known")
        }
    }

    private func tunnelProtocol(
        _ value: Istio_Workload_TunnelProtocol, _ reader: WireReader
    ) throws(XDSError) -> TunnelProtocol {
        switch value {
        case .none: .none
        case .hbone: .hbone
        case .UNRECOGNIZED(let value): throw reader.unsupported("tunnel protocol \(value) is not known")
        }
    }

    private func isHealthy(_ status: Istio_Workload_WorkloadStatus, _ reader: WireReader) throws(XDSError) -> Bool {
        switch status {
        case .healthy: true
        case .unhealthy: false
        case .UNRECOGNIZED(let value): throw reader.unsupported("status \(value) is not known")
        }
    }

    private static func type(of kind: WorkloadOwner.Kind) -> Istio_Workload_WorkloadType {
        switch kind {
        case .deployment: .deployment
        case .cronjob: .cronjob
        case .job: .job
        case .pod: .pod
        }
    }

    private func ownerKind(
        _ type: Istio_Workload_WorkloadType, _ reader: WireReader
    ) throws(XDSError) -> WorkloadOwner.Kind {
        switch type {
        case .deployment: .deployment
        case .cronjob: .cronjob
        case .job: .job
        case .pod: .pod
        case .UNRECOGNIZED(let value): throw reader.unsupported("workload type \(value) is not known")
        }
    }
}
