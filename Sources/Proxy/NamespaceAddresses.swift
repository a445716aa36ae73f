internal import Addressing

/// Which addresses were found in a pod's network namespace. What the mesh says of a pod may be behind: a socket of the
/// pod that connected to an address which is not there would leave the node, in plaintext.
struct NamespaceAddresses {
    private var found: [IPAddress: Bool] = [:]
    /// What the mesh says, as of the last `told`.
    private var claimed: [IPAddress] = []

    /// Whether `address` is there; nil if nobody has looked.
    func contains(_ address: IPAddress) -> Bool? { found[address] }

    /// Somebody looked.
    mutating func looked(for address: IPAddress, isThere: Bool) { found[address] = isThere }

    /// The mesh says that the pod has these: if that is news, all is looked for anew; what was missing may have come.
    mutating func told(_ addresses: [IPAddress]) {
        if addresses == claimed {
            found = found.filter(\.value)
        } else {
            found = [:]
            claimed = addresses
        }
    }
}
