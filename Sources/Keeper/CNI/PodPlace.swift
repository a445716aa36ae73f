internal import Addressing
internal import CNI
internal import Kernel

/// The network namespace that a call of the plugin is about.
struct PodPlace {
    /// Where this process can open it.
    let path: String
    let namespace: NetworkNamespace
    /// The addresses that the plugins before gave it, as far as a pod is known by them.
    let addresses: [IPAddress]

    /// Opens it, and looks whether it has what the plugins before say it has.
    /// - Throws: `enrolment`.
    init(_ request: PluginRequest) throws(KeeperError) {
        path = Self.reachable(request.namespacePath)
        let own: Set<IPAddress>
        do {
            namespace = try NetworkNamespace.open(path: path)
            own = try namespace.addresses()
        } catch {
            throw KeeperError(.enrolment, "its network namespace \(request.namespacePath) cannot be entered: \(error)")
        }
        let given = request.configuration.previousResult?.addresses(in: request.namespacePath) ?? []
        addresses = given.filter { !$0.isLoopback && !$0.isUnspecified && !$0.isLinkLocal && !$0.isMulticast }
        guard !addresses.isEmpty else {
            throw KeeperError(.enrolment, "the plugins before this one in the chain gave it no address")
        }
        guard !own.isDisjoint(with: addresses) else {
            throw KeeperError(
                .enrolment,
                "its network namespace has none of the addresses that it was given: "
                    + addresses.map(\.description).joined(separator: ", "))
        }
    }

    /// A path of the host's, from wherever this process is: an agent in a container has other mounts.
    static func reachable(_ path: String) -> String {
        guard let host = Files.status("/proc/1/ns/mnt"), host != Files.status("/proc/self/ns/mnt") else { return path }
        // An absolute link like /var/run would lead back into the container.
        let direct = path.hasPrefix("/var/run/") ? String(path.dropFirst("/var".count)) : path
        return "/proc/1/root\(direct)"
    }
}
