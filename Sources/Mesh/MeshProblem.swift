package import Addressing

/// A contradiction in the mesh's state that the snapshot had to decide; `status` prints them.
package enum MeshProblem: Hashable, Sendable, CustomStringConvertible {
    /// Several healthy workloads claim one address. The first is the one that is found there.
    case conflictingAddress(IPAddress, [WorkloadUID])

    package var description: String {
        switch self {
        case .conflictingAddress(let address, let uids):
            "address \(address) belongs to several workloads: \(uids.map(\.text).joined(separator: ", "))"
        }
    }
}
