/// The resources that a server serves.
struct ResourceStore: Sendable {
    /// A resource and what decides who may see it.
    struct Entry: Sendable {
        var resource: WireResource
        var isDryRun: Bool
    }

    private var entries: [ResourceType: [String: Entry]] = [:]

    subscript(type: ResourceType, name: String) -> Entry? { entries[type]?[name] }

    func names(of type: ResourceType) -> Set<String> {
        entries[type].map { Set($0.keys) } ?? []
    }

    /// Sets or, with nil, removes a resource.
    /// - Returns: whether that made a difference.
    mutating func set(_ resource: WireResource?, isDryRun: Bool, type: ResourceType, name: String) -> Bool {
        let old = entries[type]?[name]
        guard let resource else {
            entries[type]?[name] = nil
            return old != nil
        }
        entries[type, default: [:]][name] = Entry(resource: resource, isDryRun: isDryRun)
        return old?.resource.version != resource.version
    }
}
