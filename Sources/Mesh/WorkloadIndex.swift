import Addressing
import HashTreeCollections

/// A workload as the indexes hold it: one reference wherever it is found, and its number for draws.
final class WorkloadRecord: Sendable {
    let workload: Workload
    /// The uid as a number that is the same in every process (FNV-1a), so that draws do not depend on the
    /// order of a hashed collection.
    let number: UInt64

    init(_ workload: Workload) {
        self.workload = workload
        number = StableHash.of(workload.uid.text)
    }
}

/// A workload as an endpoint of one service.
struct EndpointRecord: Sendable {
    let record: WorkloadRecord
    let ports: [PortMapping]

    /// The port on which it serves `port` of the service; nil if it does not.
    func targetPort(of port: UInt16) -> UInt16? { ports.first { $0.servicePort == port }?.targetPort }
}

/// The workloads of the mesh, found by uid, by address and by the service that they serve.
struct WorkloadIndex: Sendable {
    private(set) var records: TreeDictionary<WorkloadUID, WorkloadRecord> = [:]
    /// Several only while an address is contested; in order of preference.
    private var byAddress: TreeDictionary<IPAddress, [WorkloadRecord]> = [:]
    /// Also of services that are not known yet: endpoints may arrive first.
    private(set) var endpoints: TreeDictionary<NamespacedName, TreeDictionary<WorkloadUID, EndpointRecord>> = [:]
    /// Those that are enrolled, by the name of their node.
    private(set) var enrolled: TreeDictionary<String, TreeDictionary<WorkloadUID, WorkloadRecord>> = [:]
    /// Addresses that more than one healthy workload claims.
    private(set) var contested: TreeSet<IPAddress> = []

    mutating func upsert(_ workload: Workload) {
        remove(workload.uid)
        let record = WorkloadRecord(workload)
        records[workload.uid] = record
        if !workload.isHostNetwork {
            for address in Set(workload.addresses) { claim(address, for: record) }
        }
        if workload.isEnrolled { enrolled[workload.node, default: [:]][workload.uid] = record }
        for (service, ports) in workload.services {
            endpoints[service, default: [:]][workload.uid] = EndpointRecord(record: record, ports: ports)
        }
    }

    mutating func remove(_ uid: WorkloadUID) {
        guard let record = records.removeValue(forKey: uid) else { return }
        for address in Set(record.workload.addresses) { release(address, of: uid) }
        let node = record.workload.node
        enrolled[node]?.removeValue(forKey: uid)
        if enrolled[node]?.isEmpty == true { enrolled.removeValue(forKey: node) }
        for service in record.workload.services.keys {
            endpoints[service]?.removeValue(forKey: uid)
            if endpoints[service]?.isEmpty == true { endpoints.removeValue(forKey: service) }
        }
    }

    /// The workload that is found at `address`: among several, healthy before unhealthy (an address is given
    /// to a new pod while the old one is still being deleted), then the smallest uid.
    func record(at address: IPAddress) -> WorkloadRecord? { byAddress[address]?.first }

    /// Everyone who claims `address`, in order of preference.
    func claimants(of address: IPAddress) -> [WorkloadRecord] { byAddress[address] ?? [] }

    private mutating func claim(_ address: IPAddress, for record: WorkloadRecord) {
        var claimants = byAddress[address] ?? []
        claimants.append(record)
        settle(address, claimants)
    }

    private mutating func release(_ address: IPAddress, of uid: WorkloadUID) {
        guard let claimants = byAddress[address] else { return }
        settle(address, claimants.filter { $0.workload.uid != uid })
    }

    private mutating func settle(_ address: IPAddress, _ claimants: [WorkloadRecord]) {
        byAddress[address] = claimants.isEmpty ? nil : claimants.sorted(by: Self.precedes)
        if claimants.count(where: \.workload.isHealthy) > 1 {
            contested.insert(address)
        } else {
            contested.remove(address)
        }
    }

    private static func precedes(_ one: WorkloadRecord, _ other: WorkloadRecord) -> Bool {
        if one.workload.isHealthy != other.workload.isHealthy { return one.workload.isHealthy }
        return one.workload.uid < other.workload.uid
    }
}
