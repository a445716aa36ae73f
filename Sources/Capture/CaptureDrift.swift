/// How the kernel's state differs from what is wanted.
package struct CaptureDrift: Equatable, Sendable, CustomStringConvertible {
    /// One thing that is not as it should be.
    package enum Difference: Hashable, Sendable {
        case tableMissing
        case chainMissing(String)
        /// Another type, hook, priority or policy.
        case chainChanged(String)
        case chainUnknown(String)
        /// The first rule of the chain that is missing, changed or out of place; nil: there are more than wanted.
        case rulesDiffer(chain: String, firstPurpose: String?)
        case setMissing(String)
        case setDiffers(String)
        case setUnknown(String)
        case sysctl(String)
        case policyRule(String)
        case policyRoute(String)
        /// The state could not be read, so it cannot be vouched for.
        case unreadable(String)
    }

    package let differences: [Difference]

    package var description: String { differences.map(\.text).joined(separator: "; ") }

    /// Nil where the two are the same.
    init?(wanted: Ruleset, found: Ruleset?, further: [Difference] = []) {
        guard let found else {
            differences = [.tableMissing] + further
            return
        }
        differences = Self.chains(wanted, found) + Self.sets(wanted, found) + further
        if differences.isEmpty { return nil }
    }

    init(_ error: CaptureError) {
        differences = [.unreadable(error.message)]
    }

    private static func chains(_ wanted: Ruleset, _ found: Ruleset) -> [Difference] {
        var differences = found.chains.filter { chain in !wanted.chains.contains { $0.name == chain.name } }
            .map { Difference.chainUnknown($0.name) }
        for chain in wanted.chains {
            guard let other = found.chains.first(where: { $0.name == chain.name }) else {
                differences.append(.chainMissing(chain.name))
                continue
            }
            if (chain.kind, chain.hook, chain.priority) != (other.kind, other.hook, other.priority) {
                differences.append(.chainChanged(chain.name))
            }
            guard chain.rules != other.rules else { continue }
            let index = zip(chain.rules, other.rules).enumerated().first { $0.element.0 != $0.element.1 }?.offset
            let first = index ?? other.rules.count
            let purpose = first < chain.rules.count ? chain.rules[first].purpose : nil
            differences.append(.rulesDiffer(chain: chain.name, firstPurpose: purpose))
        }
        return differences
    }

    private static func sets(_ wanted: Ruleset, _ found: Ruleset) -> [Difference] {
        var differences = found.sets.filter { set in !wanted.sets.contains { $0.name == set.name } }
            .map { Difference.setUnknown($0.name) }
        for set in wanted.sets {
            guard let other = found.sets.first(where: { $0.name == set.name }) else {
                differences.append(.setMissing(set.name))
                continue
            }
            if set != other { differences.append(.setDiffers(set.name)) }
        }
        return differences
    }
}

extension CaptureDrift.Difference {
    fileprivate var text: String {
        switch self {
        case .tableMissing: "the table is missing"
        case .chainMissing(let name): "chain \(name) is missing"
        case .chainChanged(let name): "chain \(name) is attached elsewhere"
        case .chainUnknown(let name): "chain \(name) is not ours"
        case .rulesDiffer(let chain, .some(let purpose)): "chain \(chain) differs at \"\(purpose)\""
        case .rulesDiffer(let chain, .none): "chain \(chain) has more rules than ours"
        case .setMissing(let name): "set \(name) is missing"
        case .setDiffers(let name): "set \(name) differs"
        case .setUnknown(let name): "set \(name) is not ours"
        case .sysctl(let name): "\(name) was changed"
        case .policyRule(let family): "the \(family) policy rule is missing"
        case .policyRoute(let family): "the \(family) policy route is missing"
        case .unreadable(let reason): "it could not be read: \(reason)"
        }
    }
}
