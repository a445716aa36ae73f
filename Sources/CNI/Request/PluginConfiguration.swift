/// The network configuration, as far as it is for this plugin.
package struct PluginConfiguration: Equatable, Sendable {
    /// The version that the runtime speaks, and is answered in.
    package let version: SpecificationVersion
    /// The network's name.
    package let name: String
    /// Where the agent listens: `agentSocket`, a path.
    package let agentSocket: String
    /// `excludedNamespaces`: whose pods start without asking.
    package let excludedNamespaces: Set<String>
    /// What the plugins before this one made; nil if there are none.
    package let previousResult: PreviousResult?
    /// `cni.dev/valid-attachments`: what a GC keeps; nil if there is no such list.
    package let validAttachments: Set<Attachment>?

    /// Where the agent listens unless the configuration says otherwise.
    package static let usualSocket = "/run/meshnode/cni.sock"
    /// Namespaces whose pods start without asking unless the configuration says otherwise: the cluster's own parts and
    /// the mesh's must start before an agent runs, and the agent's own pod most of all.
    package static let usualExcludedNamespaces: Set<String> = [
        "kube-system", "kube-public", "kube-node-lease", "meshnode-system", "istio-system",
    ]

    /// - Throws: `undecodable`, `incompatibleVersion` or `invalidConfiguration`.
    package init(_ bytes: [UInt8]) throws(PluginError) {
        let value: JSONValue
        do {
            value = try JSONReader.read(bytes)
        } catch {
            throw PluginError(.undecodable, "the network configuration cannot be read: \(error)")
        }
        guard let members = value.members else {
            throw PluginError(.undecodable, "the network configuration is no object")
        }
        version = try Self.version(value["cniVersion"])
        name = try Self.text(value, "name") ?? ""
        agentSocket = try Self.text(value, "agentSocket") ?? Self.usualSocket
        // sun_path of sockaddr_un (unix(7)) has 108 bytes, the last of them 0.
        guard agentSocket.hasPrefix("/"), agentSocket.utf8.count < 108, !agentSocket.utf8.contains(0) else {
            throw PluginError(.invalidConfiguration, "agentSocket is no absolute path of less than 108 bytes")
        }
        excludedNamespaces = try Self.texts(value, "excludedNamespaces").map(Set.init) ?? Self.usualExcludedNamespaces
        validAttachments = try Self.attachments(value["cni.dev/valid-attachments"])
        previousResult = try members.first { $0.name == "prevResult" && $0.value != .null }
            .map { member throws(PluginError) in
                try PreviousResult(member.value, verbatim: Array(bytes[member.range]))
            }
    }

    private static func version(_ value: JSONValue?) throws(PluginError) -> SpecificationVersion {
        // Without the key it is a version that no chain has (CNI specification 0.1.0).
        guard let text = value?.text, let version = SpecificationVersion(rawValue: text) else {
            let supported = SpecificationVersion.allCases.map(\.rawValue).joined(separator: ", ")
            throw PluginError(.incompatibleVersion, "cniVersion is none of \(supported)")
        }
        return version
    }

    private static func text(_ value: JSONValue, _ name: String) throws(PluginError) -> String? {
        guard let member = value[name], member != .null else { return nil }
        guard let text = member.text else { throw PluginError(.invalidConfiguration, "\(name) is no string") }
        return text
    }

    private static func texts(_ value: JSONValue, _ name: String) throws(PluginError) -> [String]? {
        guard let member = value[name], member != .null else { return nil }
        let texts = member.elements?.compactMap(\.text)
        guard let texts, texts.count == member.elements?.count else {
            throw PluginError(.invalidConfiguration, "\(name) is no list of strings")
        }
        return texts
    }

    private static func attachments(_ value: JSONValue?) throws(PluginError) -> Set<Attachment>? {
        guard let value, value != .null else { return nil }
        var result: Set<Attachment> = []
        for element in value.elements ?? [.null] {
            guard let containerID = element["containerID"]?.text, let interfaceName = element["ifname"]?.text else {
                throw PluginError(.invalidConfiguration, "cni.dev/valid-attachments is no list of attachments")
            }
            result.insert(Attachment(containerID: containerID, interfaceName: interfaceName))
        }
        return result
    }
}
