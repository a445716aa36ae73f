import Addressing
import HashTreeCollections

/// The services of the mesh, found by name, by hostname, by virtual address and by block.
struct ServiceIndex: Sendable {
    private(set) var services: TreeDictionary<NamespacedName, Service> = [:]
    private var byHostname: TreeDictionary<String, [NamespacedName]> = [:]
    private var byAddress: TreeDictionary<IPAddress, [NamespacedName]> = [:]
    /// One table per block length in use, the longest first.
    private var blocks: [BlockTable] = []

    private struct BlockTable: Sendable {
        let family: IPAddress.Family
        let length: Int
        var names: TreeDictionary<IPAddress, [NamespacedName]> = [:]
    }

    mutating func upsert(_ service: Service) {
        remove(service.name)
        services[service.name] = service
        byHostname[service.hostname, default: []].insertSorted(service.name)
        for prefix in Set(service.addresses) {
            if prefix.isSingleAddress {
                byAddress[prefix.address, default: []].insertSorted(service.name)
            } else {
                insert(service.name, in: prefix)
            }
        }
    }

    mutating func remove(_ name: NamespacedName) {
        guard let service = services.removeValue(forKey: name) else { return }
        Self.drop(name, from: &byHostname, at: service.hostname)
        for prefix in Set(service.addresses) {
            if prefix.isSingleAddress {
                Self.drop(name, from: &byAddress, at: prefix.address)
            } else {
                drop(name, in: prefix)
            }
        }
    }

    /// The service that `address` belongs to, seen from `namespace`: a virtual address before blocks, the
    /// longest block first; among several owners the one of the same namespace, then the smallest name.
    func service(at address: IPAddress, from namespace: String) -> Service? {
        if let names = byAddress[address] { return preferred(names, from: namespace) }
        for table in blocks where table.family == address.family {
            guard let block = IPPrefix(address, length: table.length), let names = table.names[block.address] else {
                continue
            }
            return preferred(names, from: namespace)
        }
        return nil
    }

    func service(hostname: String, from namespace: String) -> Service? {
        byHostname[hostname].flatMap { preferred($0, from: namespace) }
    }

    private func preferred(_ names: [NamespacedName], from namespace: String) -> Service? {
        let name = names.first { $0.namespace == namespace } ?? names.first
        return name.flatMap { services[$0] }
    }

    private mutating func insert(_ name: NamespacedName, in prefix: IPPrefix) {
        let index: Int
        if let found = tableIndex(for: prefix) {
            index = found
        } else {
            index = blocks.firstIndex { $0.length < prefix.length } ?? blocks.endIndex
            blocks.insert(BlockTable(family: prefix.address.family, length: prefix.length), at: index)
        }
        blocks[index].names[prefix.address, default: []].insertSorted(name)
    }

    private mutating func drop(_ name: NamespacedName, in prefix: IPPrefix) {
        guard let index = tableIndex(for: prefix) else { return }
        Self.drop(name, from: &blocks[index].names, at: prefix.address)
        if blocks[index].names.isEmpty { blocks.remove(at: index) }
    }

    private func tableIndex(for prefix: IPPrefix) -> Int? {
        blocks.firstIndex { $0.length == prefix.length && $0.family == prefix.address.family }
    }

    private static func drop<Key>(
        _ name: NamespacedName, from table: inout TreeDictionary<Key, [NamespacedName]>, at key: Key
    ) {
        table[key]?.removeAll { $0 == name }
        if table[key]?.isEmpty == true { table.removeValue(forKey: key) }
    }
}

extension [NamespacedName] {
    /// Keeps the array sorted and without doubles.
    mutating func insertSorted(_ name: NamespacedName) {
        let index = firstIndex { !($0 < name) } ?? endIndex
        if index < endIndex, self[index] == name { return }
        insert(name, at: index)
    }
}
