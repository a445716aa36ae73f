internal import Addressing
internal import Kernel

/// A namespace that has one of the addresses looked for.
struct FoundNamespace {
    let namespace: NetworkNamespace
    /// Where it was found.
    let path: String
}

/// Finds the network namespaces of pods by their addresses.
struct NamespaceFinder {
    let directories: [String]

    /// For each of `addresses` that a namespace of this machine has, that namespace; named ones before those of
    /// processes, older processes first. One look at every namespace, however many addresses.
    func find(_ addresses: Set<IPAddress>) -> [IPAddress: FoundNamespace] {
        var found: [IPAddress: FoundNamespace] = [:]
        for candidate in NamespaceCandidates.list(directories: directories) {
            // One that vanishes between listing and opening is none.
            guard let namespace = try? NetworkNamespace.open(path: candidate.path),
                let own = try? namespace.addresses()
            else { continue }
            for address in own.intersection(addresses) where found[address] == nil {
                found[address] = FoundNamespace(namespace: namespace, path: candidate.path)
            }
            if found.count == addresses.count { break }
        }
        return found
    }

    /// The numbers of all namespaces that a name or a process still refers to, and where they can be seen.
    func living() -> [UInt64: String] {
        let candidates = NamespaceCandidates.list(directories: directories)
        return Dictionary(candidates.map { ($0.inode, $0.path) }) { first, _ in first }
    }
}
