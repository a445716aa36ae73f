import Mesh

/// The extension of a workload that carries what the shared type cannot.
private let workloadDetailsName = "meshnode.dev/workload"

extension Translator {
    /// Nil if the shared type says everything.
    func details(of workload: Workload) throws(XDSError) -> Istio_Workload_Extension? {
        guard !workload.waypointExceptions.isEmpty else { return nil }
        var details = Meshnode_Wire_WorkloadDetails()
        details.waypointExceptionPorts = workload.waypointExceptions.ports.map(UInt32.init)
        details.waypointExceptionAccounts = workload.waypointExceptions.serviceAccounts.map { account in
            var message = Meshnode_Wire_WorkloadDetails.ServiceAccount()
            message.namespace = account.namespace
            message.name = account.name
            return message
        }
        var message = Istio_Workload_Extension()
        message.name = workloadDetailsName
        message.config = try AnyResource.pack(details)
        return message
    }

    /// Details that are not known only make exceptions, so a workload without them is the stricter one.
    func readDetails(
        _ extensions: [Istio_Workload_Extension], into workload: inout Workload, _ reader: WireReader
    ) throws(XDSError) {
        guard let found = extensions.first(where: { $0.name == workloadDetailsName }) else { return }
        guard let details = AnyResource.unpack(found.config, as: Meshnode_Wire_WorkloadDetails.self) else {
            throw reader.invalid("its extension \(workloadDetailsName) is malformed")
        }
        for port in details.waypointExceptionPorts {
            workload.waypointExceptions.ports.append(try reader.port(port, "the port of a waypoint's exception"))
        }
        for account in details.waypointExceptionAccounts {
            let name = NamespacedName(
                namespace: try reader.segment(account.namespace, "the namespace of a waypoint's exception"),
                name: try reader.segment(account.name, "the account of a waypoint's exception"))
            workload.waypointExceptions.serviceAccounts.append(name)
        }
    }
}
