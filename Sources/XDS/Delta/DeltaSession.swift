/// What a server knows of one client's stream.
struct DeltaSession: Sendable {
    /// One subscription.
    private struct Subscription: Sendable {
        /// What the client has been told, by name; a name that it has and we do not know counts as told, too.
        var told: [String: String]
        /// Names to look at for the next response.
        var dirty: Set<String>
        /// The response that is not answered yet.
        var awaitedNonce: String?
        /// The first response is sent even if it is empty: the client waits for it.
        var isFirst = true
    }

    private let knowsDryRun: Bool
    private var subscriptions: [ResourceType: Subscription] = [:]

    init(knowsDryRun: Bool) {
        self.knowsDryRun = knowsDryRun
    }

    /// The state changed under these names.
    mutating func changed(_ names: [ResourceType: Set<String>]) {
        for (type, names) in names { subscriptions[type]?.dirty.formUnion(names) }
    }

    /// The client subscribed, answered or asked for names again.
    mutating func received(_ request: DeltaRequest, _ type: ResourceType, storedNames: @autoclosure () -> Set<String>) {
        guard subscriptions[type] != nil else {
            subscriptions[type] = Subscription(
                told: request.initialResourceVersions,
                dirty: storedNames().union(request.initialResourceVersions.keys))
            return
        }
        // An answer to an older response says nothing about the one that is under way.
        if !request.responseNonce.isEmpty, request.responseNonce == subscriptions[type]?.awaitedNonce {
            subscriptions[type]?.awaitedNonce = nil
        }
        // A client may have dropped what it asks for again, so it is told again, or that it is gone.
        for name in request.resourceNamesSubscribe where name != "*" {
            subscriptions[type]?.told[name] = ""
            subscriptions[type]?.dirty.insert(name)
        }
    }

    /// The next response of this type; nil if there is nothing to say or the last one is not answered.
    mutating func nextResponse(_ type: ResourceType, from store: ResourceStore, nonce: String) -> DeltaResponse? {
        // Taken out while it changes, so that its tables are not copied.
        guard var subscription = subscriptions.removeValue(forKey: type) else { return nil }
        defer { subscriptions[type] = subscription }
        guard subscription.awaitedNonce == nil, subscription.isFirst || !subscription.dirty.isEmpty else { return nil }
        var response = DeltaResponse()
        response.typeURL = type.typeURL
        response.nonce = nonce
        response.systemVersionInfo = nonce
        for name in subscription.dirty.sorted() {
            if let entry = store[type, name], knowsDryRun || !entry.isDryRun {
                guard subscription.told.updateValue(entry.resource.version, forKey: name) != entry.resource.version
                else {
                    continue
                }
                response.resources.append(entry.resource)
            } else if subscription.told.removeValue(forKey: name) != nil {
                response.removedResources.append(name)
            }
        }
        subscription.dirty = []
        let isEmpty = response.resources.isEmpty && response.removedResources.isEmpty
        guard subscription.isFirst || !isEmpty else { return nil }
        subscription.isFirst = false
        subscription.awaitedNonce = nonce
        return response
    }
}
