/// The name under which a set of workloads trusts one set of roots (SPIFFE-ID section 2.1): lower-case
/// letters, digits, `.`, `-`, `_`; 1 through 255 bytes.
package struct TrustDomain: Hashable, Sendable, CustomStringConvertible {
    package let name: String

    /// Nil if `name` breaks the rule above.
    package init?(_ name: some StringProtocol) {
        guard (1...255).contains(name.utf8.count), name.utf8.allSatisfy(Self.isAllowed) else { return nil }
        self.name = String(name)
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }

    package var description: String { name }
}

/// The identity of a workload: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.
///
/// A value that is compared and hashed several times for every connection, so its names, its text and its hash are made
/// once and shared.
package struct SPIFFEID: Hashable, Sendable {
    private let names: Names

    package init(trustDomain: TrustDomain, namespace: String, serviceAccount: String) {
        names = Names(trustDomain: trustDomain, namespace: namespace, serviceAccount: serviceAccount)
    }

    /// The domain whose roots sign it.
    package var trustDomain: TrustDomain { names.trustDomain }
    /// The workload's namespace.
    package var namespace: String { names.namespace }
    /// The account that the workload runs as.
    package var serviceAccount: String { names.serviceAccount }

    /// The identity as policies spell it: without `spiffe://`.
    package var principal: String { names.principal }

    package static func == (left: SPIFFEID, right: SPIFFEID) -> Bool {
        left.names === right.names
            || (left.names.hash == right.names.hash && left.names.isSame(as: right.names))
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(names.hash) }

    private final class Names: Sendable {
        let trustDomain: TrustDomain
        let namespace: String
        let serviceAccount: String
        let principal: String
        let hash: Int

        init(trustDomain: TrustDomain, namespace: String, serviceAccount: String) {
            self.trustDomain = trustDomain
            self.namespace = namespace
            self.serviceAccount = serviceAccount
            principal = "\(trustDomain)/ns/\(namespace)/sa/\(serviceAccount)"
            hash = principal.hashValue
        }

        func isSame(as other: Names) -> Bool {
            trustDomain == other.trustDomain && namespace == other.namespace && serviceAccount == other.serviceAccount
        }
    }

    /// Reads the URI form. Nil unless it is exactly `spiffe://TD/ns/NS/sa/SA`, at most 2,048 bytes, without
    /// user info, port, query, fragment, percent-encoding or empty segments (SPIFFE-ID section 2).
    package init?(uri: some StringProtocol) {
        let scheme = "spiffe://"
        guard uri.utf8.count <= 2048, uri.utf8.starts(with: scheme.utf8) else { return nil }
        let parts = uri.dropFirst(scheme.count).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[1] == "ns", parts[3] == "sa", let domain = TrustDomain(parts[0]),
            Self.isSegment(parts[2]), Self.isSegment(parts[4])
        else { return nil }
        self.init(trustDomain: domain, namespace: String(parts[2]), serviceAccount: String(parts[4]))
    }

    private static func isSegment(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text != "." && text != ".."
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"): true
                case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
                default: false
                }
            }
    }
}

extension SPIFFEID: CustomStringConvertible {
    package var description: String { "spiffe://\(principal)" }
}

/// The name of a namespaced object: a policy, a service, a waypoint.
package struct NamespacedName: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let namespace: String
    package let name: String

    package init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    package var description: String { "\(namespace)/\(name)" }

    package static func < (lhs: Self, rhs: Self) -> Bool {
        (lhs.namespace, lhs.name) < (rhs.namespace, rhs.name)
    }
}

/// A workload's name in the whole mesh: `cluster/group/kind/namespace/name`, such as `Kubernetes//Pod/shop/web`.
package struct WorkloadUID: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let text: String

    package init(_ text: String) { self.text = text }

    package init(cluster: String, podNamespace: String, podName: String) {
        text = "\(cluster)//Pod/\(podNamespace)/\(podName)"
    }

    package var description: String { text }

    package static func < (lhs: Self, rhs: Self) -> Bool { lhs.text < rhs.text }
}
