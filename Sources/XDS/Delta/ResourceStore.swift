/// The resources that a server serves.
struct ResourceStore: Sendable {
    /// A resource and what decides who may see it.
    struct Entry: Sendable {
        var resource: WireResource
        var isDryRun: Bool
        /// What else it is asked for by: its aliases, and the names of what it belongs to.
        var topics: Set<String> = []
        /// About how long it is on the wire, in bytes.
        var length: Int
    }

    /// Names of resources that changed, each with its topics before and after.
    typealias Changes = [String: Set<String>]

    private var entries: [ResourceType: [String: Entry]] = [:]
    /// Resources by their aliases.
    private var byAlias: [ResourceType: [String: Set<String>]] = [:]

    subscript(type: ResourceType, name: String) -> Entry? { entries[type]?[name] }

    func names(of type: ResourceType) -> Set<String> {
        entries[type].map { Set($0.keys) } ?? []
    }

    /// The resource of that name, as one who may or may not know dry runs sees it.
    func entry(_ type: ResourceType, _ name: String, knowsDryRun: Bool) -> Entry? {
        guard let entry = entries[type]?[name], knowsDryRun || !entry.isDryRun else { return nil }
        return entry
    }

    /// What a name or an alias means: the resource, and what belongs to it.
    func resources(_ type: ResourceType, knownAs name: String) -> [String] {
        var found = byAlias[type]?[name] ?? []
        if entries[type]?[name] != nil { found.insert(name) }
        for resource in found { found.formUnion(byAlias[type]?[resource] ?? []) }
        return found.sorted()
    }

    /// Sets or, with nil, removes a resource.
    /// - Returns: its topics before and after, or nil if that made no difference.
    mutating func set(_ entry: Entry?, type: ResourceType, name: String) -> Set<String>? {
        let old = entries[type]?[name]
        guard old?.resource.version != entry?.resource.version || old?.isDryRun != entry?.isDryRun else { return nil }
        for topic in old?.topics ?? [] {
            byAlias[type]?[topic]?.remove(name)
            if byAlias[type]?[topic]?.isEmpty == true { byAlias[type]?[topic] = nil }
        }
        for topic in entry?.topics ?? [] { byAlias[type, default: [:]][topic, default: []].insert(name) }
        entries[type, default: [:]][name] = entry
        return (old?.topics ?? []).union(entry?.topics ?? [])
    }
}
