import FoundationEssentials
package import Mesh
import SwiftProtobuf

/// The subscribing end of delta discovery: what an agent knows of the mesh, and what it answers.
///
/// ```
///            connected()                 received(_:)
///   idle ─────────────────> subscribed ──────────────┐ changes, ACK or NACK
///            requests            ^ └─────────────────┘
///                                └── connected() again after a break: the requests name what is known
/// ```
/// What is known outlives connections: the mesh goes on with it while the server is away.
package struct DeltaClient: ~Copyable, Sendable {
    /// What became of one response.
    package struct Update: Hashable, Sendable {
        /// What changed, in the order to apply it: removals first, since an address may have gone to another workload.
        package var changes: [MeshChange]
        /// The answer to send: an acknowledgement, or a refusal with the reasons.
        package var reply: DeltaRequest
        /// The resources that were not taken. Their last good state stays in force.
        package var rejections: [XDSError]
    }

    /// A resource that was taken.
    fileprivate struct Known: Sendable {
        var version: String
        var key: ResourceKey
        /// As it came, to be saved.
        var value: Data
    }

    /// One subscription.
    fileprivate struct Subscription: Sendable {
        var known: [String: Known] = [:]
        var rejected: Set<String> = []
        /// A set came to its end.
        var isWhole = false
    }

    private let translator: Translator
    private let node: Envoy_Config_Core_V3_Node
    private var subscriptions: [ResourceType: Subscription] = [:]
    /// Whether who answers on this stream has our own types; nil before the first answer.
    private var servesOwnTypes: Bool?

    /// Whether the first full set of every type has come, as far as the server has that type: a foreign control plane
    /// says nothing of ours, and what they hold is then as if nothing had been said. A policy that cannot be read keeps it false, because without
    /// that policy more might be allowed than was meant. Once true it stays true.
    package private(set) var isComplete = false

    /// - Parameter nodeID: how the agent calls itself, such as `ztunnel~10.0.0.1~agent-x.mesh~mesh.svc.cluster.local`.
    package init(nodeID: String, translator: Translator = Translator()) {
        self.translator = translator
        var node = Envoy_Config_Core_V3_Node()
        node.id = nodeID
        self.node = node
    }

    /// A stream to the server was opened, for the first time or again.
    /// - Returns: the subscriptions to send, with the versions of what is known.
    package mutating func connected() -> [DeltaRequest] {
        servesOwnTypes = nil
        return ResourceType.allCases.map { type in
            var request = DeltaRequest()
            request.node = node
            request.typeURL = type.typeURL
            request.resourceNamesSubscribe = ["*"]
            request.takesParts = true
            request.initialResourceVersions = subscriptions[type, default: Subscription()].known.mapValues(\.version)
            return request
        }
    }

    /// The server sent `response`.
    package mutating func received(_ response: DeltaResponse) -> Update {
        guard let type = ResourceType(typeURL: response.typeURL) else {
            let error = XDSError(.unsupportedResource, "type '\(response.typeURL)' was not asked for")
            return Update(changes: [], reply: reply(to: response, [error]), rejections: [error])
        }
        servesOwnTypes = response.controlPlane.identifier == ControlPlaneName.own
        // Taken out while it changes, so that its tables are not copied.
        var subscription = subscriptions.removeValue(forKey: type) ?? Subscription()
        var update = Update(changes: [], reply: DeltaRequest(), rejections: [])
        Self.remove(response.removedResources, from: &subscription, &update)
        for resource in response.resources { take(resource, type, into: &subscription, &update) }
        if !response.moreFollows { subscription.isWhole = true }
        subscriptions[type] = subscription
        isComplete = isComplete || hasEverything
        update.reply = reply(to: response, update.rejections)
        return update
    }

    private var hasEverything: Bool {
        let hasRefusedPolicy = subscriptions[.authorization].map { !$0.rejected.isEmpty } ?? false
        let expected = ResourceType.allCases.filter { $0.isShared || servesOwnTypes != false }
        return !hasRefusedPolicy && expected.allSatisfy { subscriptions[$0]?.isWhole ?? false }
    }

    private static func remove(_ names: [String], from subscription: inout Subscription, _ update: inout Update) {
        for name in names {
            subscription.rejected.remove(name)
            if let known = subscription.known.removeValue(forKey: name) { update.changes.append(known.key.removal) }
        }
    }

    private func take(
        _ resource: WireResource, _ type: ResourceType, into subscription: inout Subscription, _ update: inout Update
    ) {
        let change: MeshChange
        do throws(XDSError) {
            change = try translator.change(of: resource, type: type)
        } catch {
            subscription.rejected.insert(resource.name)
            update.rejections.append(error)
            return
        }
        let key = ResourceKey(change)
        // A name may pass from a workload to a service; the former is then gone.
        if let old = subscription.known[resource.name], old.key != key { update.changes.append(old.key.removal) }
        subscription.known[resource.name] = Known(
            version: resource.version, key: key, value: resource.resource.value)
        subscription.rejected.remove(resource.name)
        update.changes.append(change)
    }

    private func reply(to response: DeltaResponse, _ rejections: [XDSError]) -> DeltaRequest {
        var request = DeltaRequest()
        request.typeURL = response.typeURL
        request.responseNonce = response.nonce
        if !rejections.isEmpty {
            request.errorDetail.code = Self.invalidArgument
            request.errorDetail.message = Self.summary(of: rejections)
        }
        return request
    }

    /// google.rpc.Code.
    private static let invalidArgument: Int32 = 3

    /// The first few reasons; the server's log is no place for ten thousand.
    private static func summary(of rejections: [XDSError]) -> String {
        let shown = rejections.prefix(10).map { String($0.message.prefix(500)) }.joined(separator: "; ")
        return rejections.count > 10 ? "\(shown); and \(rejections.count - 10) more" : shown
    }
}

/// What is known, kept outside of this process, so that the next one begins with it.
extension DeltaClient {
    /// What is known, with names and versions: `meshnode.wire.SavedState`.
    package func savedState() -> [UInt8] {
        var state = Meshnode_Wire_SavedState()
        state.subscriptions = ResourceType.allCases.compactMap { type in
            // A control plane that does not have this type was not waited for, and is not by the successor.
            let isDoneWithout = isComplete && !type.isShared
            guard let subscription = subscriptions[type] ?? (isDoneWithout ? Subscription() : nil) else { return nil }
            var saved = Meshnode_Wire_SavedState.Subscription()
            saved.typeURL = type.typeURL
            // What had to be done without is missing for the successor, too.
            let isUsable = type != .authorization || subscription.rejected.allSatisfy { subscription.known[$0] != nil }
            saved.isWhole = (subscription.isWhole || isDoneWithout) && isUsable
            saved.resources = subscription.known.map { name, known in
                var resource = Meshnode_Wire_SavedState.Resource()
                resource.name = name
                resource.version = known.version
                resource.value = known.value
                return resource
            }
            return saved
        }
        // Fields of plain bytes and text always have a form; what cannot be saved would only be asked for again.
        return (try? state.serializedBytes()) ?? []
    }

    /// Takes up what another client saved, in place of what is known; before the first `connected`.
    /// - Returns: the changes that make the mesh of it, in an order in which they can be applied.
    /// - Throws: `malformedMessage` or what makes a resource unusable; then nothing has changed.
    package mutating func restore(_ state: [UInt8]) throws(XDSError) -> [MeshChange] {
        let saved: Meshnode_Wire_SavedState
        do {
            saved = try Meshnode_Wire_SavedState(serializedBytes: state)
        } catch {
            throw XDSError(.malformedMessage, "\(state.count) bytes are no saved state: \(error)")
        }
        var restored: [ResourceType: Subscription] = [:]
        var changes: [ResourceType: [MeshChange]] = [:]
        for subscription in saved.subscriptions {
            guard let type = ResourceType(typeURL: subscription.typeURL), restored[type] == nil else {
                throw XDSError(
                    .malformedMessage, "a saved state has '\(subscription.typeURL.prefix(200))' once too often")
            }
            (restored[type], changes[type]) = try read(subscription, type)
        }
        subscriptions = restored
        isComplete = hasEverything
        return ResourceType.allCases.flatMap { changes[$0] ?? [] }
    }

    private func read(
        _ saved: Meshnode_Wire_SavedState.Subscription, _ type: ResourceType
    ) throws(XDSError) -> (Subscription, [MeshChange]) {
        var subscription = Subscription()
        var changes: [MeshChange] = []
        changes.reserveCapacity(saved.resources.count)
        subscription.isWhole = saved.isWhole
        for resource in saved.resources {
            let change = try translator.change(of: WireResource(resource, type), type: type)
            let known = Known(version: resource.version, key: ResourceKey(change), value: resource.value)
            guard subscription.known.updateValue(known, forKey: resource.name) == nil else {
                throw XDSError(.malformedMessage, "a saved state has '\(resource.name.prefix(200))' twice")
            }
            changes.append(change)
        }
        return (subscription, changes)
    }
}

extension WireResource {
    fileprivate init(_ saved: Meshnode_Wire_SavedState.Resource, _ type: ResourceType) {
        self.init()
        name = saved.name
        version = saved.version
        resource.typeURL = type.typeURL
        resource.value = saved.value
    }
}
