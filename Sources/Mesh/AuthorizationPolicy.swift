package import Addressing

/// Who may connect to what, as the evaluator reads it: L4 only, selectors already resolved.
///
/// A policy matches if any rule matches. A rule matches if all its clauses match (so one without clauses
/// matches everything). A clause matches if any of its matches does. A match matches if all its fields do; a field
/// without values does not count.
///
/// A clause without matches and a match without any field are what is left when parts that need HTTP were taken
/// out: they never match in an ALLOW and always in the other actions, so that what is not understood only restricts.
package struct AuthorizationPolicy: Hashable, Sendable {
    /// What a match means: DENY is looked at before ALLOW, AUDIT never refuses.
    package enum Action: String, Hashable, Sendable {
        case allow
        case deny
        case audit
        case custom
    }

    /// Whom the policy is about.
    package enum Scope: Hashable, Sendable {
        /// Every workload of the mesh (the policy lives in the root namespace and has no selector).
        case mesh
        /// Every workload of the policy's namespace.
        case namespace
        /// The workloads that name it in `Workload.policies`.
        case workload
    }

    /// What the policy was made from.
    package enum Origin: Hashable, Sendable {
        case authorizationPolicy
        /// STRICT of a PeerAuthentication: a DENY of everyone without an identity. Its refusals read
        /// PLAINTEXT_REFUSED.
        case peerAuthentication
    }

    package var name: NamespacedName
    package var scope: Scope
    package var action: Action
    package var rules: [AuthorizationRule]
    /// Evaluated, counted and logged, never enforced.
    package var isDryRun: Bool
    package var origin: Origin
    /// What of its rules needs HTTP, by the number of the rule, rising.
    package var httpParts: [HTTPPart]

    package init(
        name: NamespacedName, scope: Scope, action: Action, rules: [AuthorizationRule], isDryRun: Bool = false,
        origin: Origin = .authorizationPolicy, httpParts: [HTTPPart] = []
    ) {
        self.name = name
        self.scope = scope
        self.action = action
        self.rules = rules
        self.isDryRun = isDryRun
        self.origin = origin
        self.httpParts = httpParts
    }
}

/// `from`, `to` and `when` of one rule; all of them must match.
package struct AuthorizationRule: Hashable, Sendable {
    package var clauses: [AuthorizationClause]
    package init(clauses: [AuthorizationClause]) { self.clauses = clauses }
}

/// One `from`, one `to`, or one condition of `when`: any of its matches.
package struct AuthorizationClause: Hashable, Sendable {
    /// Which list of a rule the clause comes from; the explanation names it.
    package enum Kind: Hashable, Sendable {
        case from
        case to
        case when
    }

    package var kind: Kind
    package var matches: [AuthorizationMatch]

    package init(kind: Kind, matches: [AuthorizationMatch]) {
        self.kind = kind
        self.matches = matches
    }
}

/// The fields of one source, operation or condition; all that have values must match.
package struct AuthorizationMatch: Hashable, Sendable {
    package var principals: [StringMatch] = []
    package var notPrincipals: [StringMatch] = []
    package var namespaces: [StringMatch] = []
    package var notNamespaces: [StringMatch] = []
    package var serviceAccounts: [NamespacedName] = []
    package var notServiceAccounts: [NamespacedName] = []
    package var sourceIPs: [IPPrefix] = []
    package var notSourceIPs: [IPPrefix] = []
    package var destinationIPs: [IPPrefix] = []
    package var notDestinationIPs: [IPPrefix] = []
    package var destinationPorts: [UInt16] = []
    package var notDestinationPorts: [UInt16] = []

    package init() {}
}

/// How policies compare strings; there are no regular expressions.
package enum StringMatch: Hashable, Sendable {
    case exact(String)
    case prefix(String)
    case suffix(String)
    /// `*`: any value, as long as there is one.
    case presence

    /// Reads policy text: `*`, `abc*`, `*abc`, or an exact string.
    package init(policyText text: String) {
        if text == "*" {
            self = .presence
        } else if text.hasSuffix("*") {
            self = .prefix(String(text.dropLast()))
        } else if text.hasPrefix("*") {
            self = .suffix(String(text.dropFirst()))
        } else {
            self = .exact(text)
        }
    }

    /// Compares byte by byte: no two spellings of one character are equal here.
    package func matches(_ value: String) -> Bool {
        switch self {
        case .exact(let text): value.utf8.count == text.utf8.count && value.utf8.elementsEqual(text.utf8)
        case .prefix(let text): value.utf8.starts(with: text.utf8)
        case .suffix(let text): value.utf8.suffix(text.utf8.count).elementsEqual(text.utf8)
        case .presence: !value.isEmpty
        }
    }
}
