package import Mesh

/// How services are named on the wire, where their key is `namespace/hostname` and not `namespace/name`.
///
/// A Kubernetes service `api` of namespace `pay` is `pay/api.pay.svc.cluster.local`. The name of any other service is
/// its host name, which always has a dot, so no two keys give the same name.
package struct ServiceNaming: Hashable, Sendable {
    /// The DNS domain of the cluster, such as `cluster.local`.
    package let clusterDomain: String

    package init(clusterDomain: String = "cluster.local") {
        self.clusterDomain = clusterDomain
    }

    /// The host name that a service of this name has.
    package func hostname(of service: NamespacedName) -> String {
        service.name.contains(".") ? service.name : "\(service.name).\(service.namespace).svc.\(clusterDomain)"
    }

    /// The name of the service that has this host name; nil if there can be none: empty, without a dot, or with a slash.
    package func name(namespace: String, hostname: String) -> NamespacedName? {
        guard !namespace.isEmpty, !namespace.contains("/"), hostname.contains("."), !hostname.contains("/") else {
            return nil
        }
        let suffix = ".\(namespace).svc.\(clusterDomain)"
        let short = hostname.hasSuffix(suffix) ? hostname.dropLast(suffix.count) : ""
        let isShort = !short.isEmpty && !short.contains(".")
        return NamespacedName(namespace: namespace, name: isShort ? String(short) : hostname)
    }

    /// The key `namespace/hostname` of a service.
    package func key(of service: NamespacedName) -> String {
        "\(service.namespace)/\(hostname(of: service))"
    }

    /// Reads a key `namespace/hostname`; nil if it is none.
    package func name(key: String) -> NamespacedName? {
        let parts = key.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        return name(namespace: String(parts[0]), hostname: String(parts[1]))
    }
}

extension NamespacedName {
    /// Reads `namespace/name`; nil unless both parts are there and nothing else.
    package init?(key: String) {
        let parts = key.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        self.init(namespace: String(parts[0]), name: String(parts[1]))
    }
}
