import FoundationEssentials
package import Mesh
import SwiftProtobuf

/// The serving end of delta discovery: the mesh's present state, and what each client has been told of it.
///
/// A subscription is to all resources of its type, or to those that the client names. A few responses per client and
/// type are under way at a time; what changes meanwhile is sent when one is answered, each resource once, in its latest
/// state. Clients that can take it get large sets in parts, of which all but the last say that more follows.
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
        var changed: [ResourceType: ResourceStore.Changes] = [:]
        var problems: [XDSError] = []
        for change in changes {
            let key = ResourceKey(change)
            let name = translator.resourceName(of: key)
            do throws(XDSError) {
                let entry = try entry(for: change)
                if let topics = store.set(entry, type: key.type, name: name) {
                    changed[key.type, default: [:]][name, default: []].formUnion(topics)
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

    /// A client sent `request`. One of a client that is not known is ignored. There is nothing of a type that is not
    /// known, and who subscribes to it is told so at once: it may wait for that.
    package mutating func received(_ request: DeltaRequest, from client: ClientID) -> Received {
        guard clients[client] != nil else { return Received(outgoing: [], refusal: nil) }
        guard let type = ResourceType(typeURL: request.typeURL) else {
            return Received(outgoing: answerToUnknown(request, client), refusal: nil)
        }
        clients[client]?.received(request, type, store)
        let refusal = request.hasErrorDetail ? request.errorDetail.message : nil
        return Received(outgoing: flush(client), refusal: refusal)
    }

    private mutating func answerToUnknown(_ request: DeltaRequest, _ client: ClientID) -> [Outgoing] {
        guard request.responseNonce.isEmpty else { return [] }
        lastNonce &+= 1
        var response = DeltaResponse()
        response.typeURL = request.typeURL
        response.nonce = String(lastNonce)
        response.controlPlane.identifier = ControlPlaneName.own
        response.removedResources = Array(request.initialResourceVersions.keys)
        return [Outgoing(client: client, response: response)]
    }

    /// Nil for a removal.
    private func entry(for change: MeshChange) throws(XDSError) -> ResourceStore.Entry? {
        guard let resource = try translator.resource(of: change) else { return nil }
        var topics = Set(resource.aliases)
        if case .workloadUpserted(let workload) = change {
            topics.formUnion(workload.services.keys.map { translator.naming.key(of: $0) })
        }
        return ResourceStore.Entry(
            resource: resource, isDryRun: change.isDryRun, topics: topics, length: resource.approximateLength)
    }

    private mutating func flushAll() -> [Outgoing] {
        clients.keys.sorted().flatMap { flush($0) }
    }

    private mutating func flush(_ client: ClientID) -> [Outgoing] {
        guard isLoaded else { return [] }
        var outgoing: [Outgoing] = []
        for type in ResourceType.allCases {
            while true {
                let nonce = String(lastNonce &+ 1)
                guard let response = clients[client]?.nextResponse(type, from: store, nonce: nonce) else { break }
                lastNonce &+= 1
                outgoing.append(Outgoing(client: client, response: response))
            }
        }
        return outgoing
    }
}

extension WireResource {
    /// About how long it is on the wire, in bytes.
    fileprivate var approximateLength: Int {
        let names = name.utf8.count + version.utf8.count + aliases.reduce(0) { $0 + $1.utf8.count + 2 }
        return resource.value.count + resource.typeURL.utf8.count + names + 16
    }
}

extension MeshChange {
    fileprivate var isDryRun: Bool {
        if case .policyUpserted(let policy) = self { return policy.isDryRun }
        return false
    }
}
