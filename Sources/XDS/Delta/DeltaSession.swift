/// What a server knows of one client's stream.
struct DeltaSession: Sendable {
    /// Responses of one type that may wait for their answers. With one, a client that is far away would be told of one
    /// part in each round trip.
    static let maximumUnanswered = 4
    /// A response is as long as that, and then one resource more, in bytes.
    static let partLength = 1 << 20
    /// Names that one subscription may ask for; more are ignored.
    static let maximumNames = 100_000

    /// One subscription.
    fileprivate struct Subscription: Sendable {
        /// What the client has been told, by name; a name that it has and we do not know counts as told, too.
        var told: [String: String]
        /// Everything of this type; what is in `names`, else.
        var isWildcard: Bool
        /// Names and aliases that the client asked for.
        var names: Set<String> = []
        /// The set that is being sent, in order, and how far that is.
        var batch: [String] = []
        var sentOfBatch = 0
        /// Names that changed since, for the next set.
        var dirty: Set<String> = []
        /// The responses that are not answered yet, oldest first.
        var unanswered: [String] = []
        /// The first set is sent even if it is empty: the client waits for it.
        var isFirst = true
        /// The last response said that more follows.
        var isWaitedFor = false
        /// Whether the client takes a set in parts; without, each is one response.
        var takesParts: Bool
    }

    private let knowsDryRun: Bool
    private var subscriptions: [ResourceType: Subscription] = [:]

    init(knowsDryRun: Bool) {
        self.knowsDryRun = knowsDryRun
    }

    /// Resources changed.
    mutating func changed(_ changes: [ResourceType: ResourceStore.Changes]) {
        for (type, changes) in changes { subscriptions[type]?.changed(changes) }
    }

    /// The client subscribed, answered, or changed what it asks for.
    mutating func received(_ request: DeltaRequest, _ type: ResourceType, _ store: ResourceStore) {
        guard var subscription = subscriptions.removeValue(forKey: type) else {
            subscriptions[type] = Subscription(first: request, type, store)
            return
        }
        defer { subscriptions[type] = subscription }
        // An answer to another response says nothing about those that are under way.
        if !request.responseNonce.isEmpty { subscription.unanswered.removeAll { $0 == request.responseNonce } }
        subscription.subscribe(to: request.resourceNamesSubscribe, type, store)
        subscription.unsubscribe(from: request.resourceNamesUnsubscribe)
    }

    /// The next response of this type; nil if there is nothing to say or too much is not answered.
    mutating func nextResponse(_ type: ResourceType, from store: ResourceStore, nonce: String) -> DeltaResponse? {
        // Taken out while it changes, so that its tables are not copied.
        guard var subscription = subscriptions.removeValue(forKey: type) else { return nil }
        defer { subscriptions[type] = subscription }
        guard subscription.unanswered.count < Self.maximumUnanswered, subscription.begins(type, store) else {
            return nil
        }
        var response = DeltaResponse()
        response.typeURL = type.typeURL
        response.nonce = nonce
        response.systemVersionInfo = nonce
        response.controlPlane.identifier = ControlPlaneName.own
        subscription.fill(&response) { store.entry(type, $0, knowsDryRun: knowsDryRun) }
        let isEmpty = response.resources.isEmpty && response.removedResources.isEmpty
        // A set that turns out to be empty need not be said, but for the first and the end of one that was begun.
        guard subscription.isFirst || !isEmpty || subscription.isWaitedFor else { return nil }
        if !response.moreFollows { subscription.isFirst = false }
        subscription.isWaitedFor = response.moreFollows
        subscription.unanswered.append(nonce)
        return response
    }
}

extension DeltaSession.Subscription {
    /// The first request of a type: `*` or nothing means everything, and what a client knows it has asked for.
    fileprivate init(first request: DeltaRequest, _ type: ResourceType, _ store: ResourceStore) {
        let asked = request.resourceNamesSubscribe
        // "Subscribe to nothing" is said by asking for everything and not.
        let isWildcard =
            (asked.isEmpty || asked.contains("*")) && !request.resourceNamesUnsubscribe.contains("*")
        self.init(told: request.initialResourceVersions, isWildcard: isWildcard, takesParts: request.takesParts)
        dirty = Set(request.initialResourceVersions.keys)
        if isWildcard {
            dirty.formUnion(store.names(of: type))
        } else {
            names = Set(request.initialResourceVersions.keys.prefix(DeltaSession.maximumNames))
        }
        subscribe(to: asked, type, store)
    }

    /// A client may have dropped what it asks for again, so it is told again, or that it is gone.
    fileprivate mutating func subscribe(to asked: [String], _ type: ResourceType, _ store: ResourceStore) {
        for name in asked {
            if name == "*" { continue }
            if !isWildcard {
                guard names.count < DeltaSession.maximumNames else { continue }
                names.insert(name)
            }
            let found = store.resources(type, knownAs: name)
            if found.isEmpty {
                told[name] = ""
                dirty.insert(name)
            }
            for resource in found {
                told[resource] = nil
                dirty.insert(resource)
                // What belongs to it, as endpoints to a service, is known by its name and not by its aliases.
                if !isWildcard { names.insert(resource) }
            }
        }
    }

    /// The client forgets these, and is told nothing of them any more.
    fileprivate mutating func unsubscribe(from names: [String]) {
        guard !isWildcard else { return }
        for name in names {
            self.names.remove(name)
            told[name] = nil
        }
    }

    fileprivate mutating func changed(_ changes: ResourceStore.Changes) {
        if isWildcard {
            dirty.formUnion(changes.keys)
            return
        }
        for (name, topics) in changes
        where told[name] != nil || names.contains(name) || !names.isDisjoint(with: topics) {
            dirty.insert(name)
        }
    }

    /// Whether there is something to look at; takes up the next set if the last one is through.
    fileprivate mutating func begins(_ type: ResourceType, _ store: ResourceStore) -> Bool {
        if sentOfBatch < batch.count { return true }
        batch = dirty.sorted()
        // What is gone comes first: its address may have passed to another.
        let border = batch.partition { store[type, $0] != nil }
        batch[..<border].sort()
        batch[border...].sort()
        sentOfBatch = 0
        dirty = []
        return isFirst || !batch.isEmpty
    }

    /// Fills a response from the set.
    fileprivate mutating func fill(
        _ response: inout DeltaResponse, from entry: (String) -> ResourceStore.Entry?
    ) {
        var length = 0
        while sentOfBatch < batch.count, length < DeltaSession.partLength || !takesParts {
            let name = batch[sentOfBatch]
            sentOfBatch += 1
            if let entry = entry(name) {
                let version = entry.resource.version
                guard told.updateValue(version, forKey: name) != version else { continue }
                response.resources.append(entry.resource)
                length += entry.length
            } else if told.removeValue(forKey: name) != nil {
                response.removedResources.append(name)
                length += name.utf8.count
            }
        }
        response.moreFollows = sentOfBatch < batch.count
    }
}
