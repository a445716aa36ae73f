import Addressing
package import Mesh
import SwiftProtobuf

/// The extension of a service that carries what the shared type cannot.
private let serviceDetailsName = "meshnode.dev/service"

extension Translator {
    /// A service as the wire has it.
    /// - Throws: `notRepresentable` if its host name belongs to a service of another name (see `ServiceNaming`).
    package func message(of service: Service) throws(XDSError) -> Istio_Workload_Service {
        guard naming.name(namespace: service.name.namespace, hostname: service.hostname) == service.name else {
            throw XDSError(
                .notRepresentable,
                "service \(service.name): its host name '\(service.hostname)' is that of another name")
        }
        var message = Istio_Workload_Service()
        message.name = service.name.name
        message.namespace = service.name.namespace
        message.hostname = service.hostname
        if service.addresses.allSatisfy(\.isSingleAddress) {
            message.addresses = service.addresses.map { Istio_Workload_NetworkAddress(address: $0.address) }
        }
        message.ports = service.ports.map { port in
            var message = Istio_Workload_Port()
            message.servicePort = UInt32(port.port)
            return message
        }
        message.subjectAltNames = service.subjectAltNames.map(\.description)
        if let waypoint = service.waypoint { message.waypoint = self.message(of: waypoint) }
        message.loadBalancing = self.message(
            of: service.loadBalancing, health: service.publishesNotReady ? .allowAll : .onlyHealthy)
        if let details = try details(of: service) { message.extensions = [details] }
        return message
    }

    /// The service that `message` describes.
    /// - Throws: `invalidResource` or `unsupportedResource`, naming the service.
    package func service(_ message: Istio_Workload_Service) throws(XDSError) -> Service {
        let reader = WireReader(resource: "service \(message.namespace)/\(message.hostname)")
        guard let name = naming.name(namespace: message.namespace, hostname: message.hostname) else {
            throw reader.invalid("it has no usable namespace and host name")
        }
        var service = Service(name: name, hostname: message.hostname, addresses: [], ports: [])
        for address in message.addresses { service.addresses.append(IPPrefix(try reader.address(address.address))) }
        for port in message.ports {
            service.ports.append(ServicePort(port: try reader.port(port.servicePort, "port")))
        }
        for uri in message.subjectAltNames {
            guard let identity = SPIFFEID(uri: uri) else {
                throw reader.unsupported("'\(uri)' is no workload identity")
            }
            service.subjectAltNames.append(identity)
        }
        if message.hasWaypoint { service.waypoint = try waypoint(message.waypoint, reader) }
        try readLoadBalancing(message.loadBalancing, into: &service, reader)
        try readDetails(message.extensions, into: &service, reader)
        return service
    }

    // MARK: What the shared type cannot say

    /// Nil if the shared type says everything.
    private func details(of service: Service) throws(XDSError) -> Istio_Workload_Extension? {
        var details = Meshnode_Wire_ServiceDetails()
        details.hasClientAffinity_p = service.hasClientAffinity
        details.ports = service.ports.filter { !$0.name.isEmpty || !$0.appProtocol.isEmpty }.map { port in
            var message = Meshnode_Wire_ServiceDetails.Port()
            message.port = UInt32(port.port)
            message.name = port.name
            message.appProtocol = port.appProtocol
            return message
        }
        if !service.addresses.allSatisfy(\.isSingleAddress) {
            details.prefixes = service.addresses.map(Meshnode_Wire_Prefix.init)
        }
        guard details != Meshnode_Wire_ServiceDetails() else { return nil }
        var message = Istio_Workload_Extension()
        message.name = serviceDetailsName
        message.config = try AnyResource.pack(details)
        return message
    }

    private func readDetails(
        _ extensions: [Istio_Workload_Extension], into service: inout Service, _ reader: WireReader
    ) throws(XDSError) {
        guard let found = extensions.first(where: { $0.name == serviceDetailsName }) else { return }
        guard let details = AnyResource.unpack(found.config, as: Meshnode_Wire_ServiceDetails.self) else {
            throw reader.invalid("its extension \(serviceDetailsName) is malformed")
        }
        service.hasClientAffinity = details.hasClientAffinity_p
        if !details.prefixes.isEmpty { service.addresses = [] }
        for prefix in details.prefixes {
            service.addresses.append(try reader.prefix(prefix.address, length: prefix.length))
        }
        for port in details.ports {
            for index in service.ports.indices where UInt32(service.ports[index].port) == port.port {
                service.ports[index].name = port.name
                service.ports[index].appProtocol = port.appProtocol
            }
        }
    }
}

extension Istio_Workload_NetworkAddress {
    init(address: IPAddress) {
        self.init()
        self.address = address.data
    }
}
