package import Mesh

/// The serving end of delta discovery: the mesh's present state, and what each client has been told of it.
///
/// Every subscription is to all resources of its type. One response per client and type is under way at a time; what
/// changes meanwhile is sent when it is answered, each resource once, in its latest state.
///
/// A client that refuses a response is not sent the same again on that stream, only what changes after it: it says
/// itself what it knows when it comes back.
package struct DeltaServer: ~Copyable, Sendable {
    /// A connection of a client; a client that comes back is a new one.
    package typealias ClientID = UInt64

    /// A response and who gets it.
    package struct Outgoing: Hashable, Sendable {
        /// Who gets it.
        package var client: ClientID
        /// What it gets.
        package var response: DeltaResponse
    }

    /// What came of a set of changes.
    package struct Applied: Hashable, Sendable {
        /// What to send.
        package var outgoing: [Outgoing]
        /// The changes that have no form on the wire; the state before them stays.
        package var problems: [XDSError]
    }

    /// What came of a request.
    package struct Received: Hashable, Sendable {
        /// What to send.
        package var outgoing: [Outgoing]
        /// Why the client refused what it was sent; nil if it did not.
        package var refusal: String?
    }

    private let translator: Translator
    private var store = ResourceStore()
    private var clients: [ClientID: DeltaSession] = [:]
    private var isLoaded = false
    private var lastNonce: UInt64 = 0

    package init(translator: Translator = Translator()) {
        self.translator = translator
    }

    /// How many clients are connected.
    package var clientCount: Int { clients.count }

    /// The state changed. Until `initialSetApplied` nothing is sent.
    package mutating func applied(_ changes: [MeshChange]) -> Applied {
        var changed: [ResourceType: Set<String>] = [:]
        var problems: [XDSError] = []
        for change in changes {
            let key = ResourceKey(change)
            let name = translator.resourceName(of: key)
            do throws(XDSError) {
                let resource = try translator.resource(of: change)
                if store.set(resource, isDryRun: change.isDryRun, type: key.type, name: name) {
                    changed[key.type, default: []].insert(name)
                }
            } catch {
                problems.append(error)
            }
        }
        for id in clients.keys { clients[id]?.changed(changed) }
        return Applied(outgoing: flushAll(), problems: problems)
    }

    /// The state is whole: clients that have subscribed get their first set, which may be empty.
    package mutating func initialSetApplied() -> [Outgoing] {
        isLoaded = true
        return flushAll()
    }

    /// A client opened a stream.
    /// - Parameter knowsDryRun: whether it knows `dry_run`; policies with it are kept from one that would enforce them.
    package mutating func connected(_ client: ClientID, knowsDryRun: Bool = true) {
        clients[client] = DeltaSession(knowsDryRun: knowsDryRun)
    }

    /// A client's stream ended.
    package mutating func disconnected(_ client: ClientID) {
        clients[client] = nil
    }

    /// A client sent `request`. One of a client or type that is not known is ignored.
    package mutating func received(_ request: DeltaRequest, from client: ClientID) -> Received {
        guard let type = ResourceType(typeURL: request.typeURL), clients[client] != nil else {
            return Received(outgoing: [], refusal: nil)
        }
        clients[client]?.received(request, type, storedNames: store.names(of: type))
        let refusal = request.hasErrorDetail ? request.errorDetail.message : nil
        return Received(outgoing: flush(client), refusal: refusal)
    }

    private mutating func flushAll() -> [Outgoing] {
        clients.keys.sorted().flatMap { flush($0) }
    }

    private mutating func flush(_ client: ClientID) -> [Outgoing] {
        guard isLoaded else { return [] }
        var outgoing: [Outgoing] = []
        for type in ResourceType.allCases {
            let nonce = String(lastNonce &+ 1)
            guard let response = clients[client]?.nextResponse(type, from: store, nonce: nonce) else { continue }
            lastNonce &+= 1
            outgoing.append(Outgoing(client: client, response: response))
        }
        return outgoing
    }
}

extension MeshChange {
    fileprivate var isDryRun: Bool {
        if case .policyUpserted(let policy) = self { return policy.isDryRun }
        return false
    }
}
