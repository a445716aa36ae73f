/// An nf_tables table of family inet as a value: what is wanted, and what the kernel was found to have.
struct Ruleset: Hashable, Sendable {
    /// The one table per pod.
    static let tableName = "meshnode"

    var sets: [NamedSet]
    var chains: [Chain]
}

/// A base chain and its rules in order. Its policy is always accept.
struct Chain: Hashable, Sendable {
    /// NFTA_CHAIN_TYPE (linux/netfilter/nf_tables.h). Only `route` looks up the route again after a change of mark.
    enum Kind: String, Sendable {
        case filter, nat, route
    }

    /// `enum nf_inet_hooks` (linux/netfilter.h).
    enum Hook: UInt32, Sendable {
        case prerouting = 0, input = 1, forward = 2, output = 3, postrouting = 4
    }

    let name: String
    let kind: Kind
    let hook: Hook
    /// NF_IP_PRI_*: conntrack -200, mangle -150, dstnat -100, filter 0.
    let priority: Int32
    var rules: [Rule]
}

/// One rule: expressions that run from left to right until one does not match.
struct Rule: Hashable, Sendable {
    /// For whom and why, in a report; no part of the kernel's rule.
    let purpose: String
    let expressions: [RuleExpression]

    init(_ purpose: String, _ parts: [RuleExpression]...) {
        self.purpose = purpose
        expressions = parts.flatMap(\.self)
    }

    static func == (left: Rule, right: Rule) -> Bool { left.expressions == right.expressions }
    func hash(into hasher: inout Hasher) { hasher.combine(expressions) }
}

/// A named set of keys.
struct NamedSet: Hashable, Sendable {
    enum Key: Hashable, Sendable {
        case cgroup, port, addressAndPortV4, addressAndPortV6
    }

    /// A key, or the inclusive range of keys from `first` to `last`, field by field.
    struct Element: Hashable, Sendable {
        let first: [UInt8]
        let last: [UInt8]?
    }

    let name: String
    let key: Key
    var elements: Set<Element>
}
