/// A call of the plugin, checked.
package struct PluginRequest: Equatable, Sendable {
    package let command: PluginCommand
    package let configuration: PluginConfiguration
    /// What ADD, DEL and CHECK are about; nil for the others.
    package let attachment: Attachment?
    /// Path of the container's network namespace; empty where a DEL or GC has none.
    package let namespacePath: String
    /// The pod of the container; nil if it has none that Kubernetes knows.
    package let pod: PodReference?

    /// - Throws: what the runtime is to be told: `invalidEnvironment`, `undecodable`, `incompatibleVersion` or
    ///   `invalidConfiguration`.
    package init(_ invocation: PluginInvocation) throws(PluginError) {
        guard let command = PluginCommand(rawValue: invocation.command) else {
            throw PluginError(.invalidEnvironment, "CNI_COMMAND is none of the specification's")
        }
        self.command = command
        configuration = try PluginConfiguration(invocation.configuration)
        guard configuration.version >= command.since else {
            throw PluginError(
                .incompatibleVersion, "\(command.rawValue) is not part of version \(configuration.version.rawValue)")
        }
        attachment = try Self.attachment(invocation, command)
        namespacePath = invocation.namespacePath
        pod = try PodReference.read(invocation.arguments)
        try check()
    }

    private static func attachment(
        _ invocation: PluginInvocation, _ command: PluginCommand
    ) throws(PluginError) -> Attachment? {
        guard command.namesAttachment else { return nil }
        guard Attachment.isContainerID(invocation.containerID) else {
            throw PluginError(.invalidEnvironment, "CNI_CONTAINERID is missing or no identifier")
        }
        guard Attachment.isInterfaceName(invocation.interfaceName) else {
            throw PluginError(.invalidEnvironment, "CNI_IFNAME is missing or no interface's name")
        }
        return Attachment(containerID: invocation.containerID, interfaceName: invocation.interfaceName)
    }

    private func check() throws(PluginError) {
        switch command {
        case .add, .check:
            guard namespacePath.hasPrefix("/"), namespacePath.utf8.count <= 4096, !namespacePath.utf8.contains(0) else {
                throw PluginError(.invalidEnvironment, "CNI_NETNS is missing or no absolute path")
            }
            guard configuration.previousResult != nil else {
                throw PluginError(
                    .invalidConfiguration,
                    "there is no prevResult: meshnode-cni is to be chained behind the plugin that makes the interface")
            }
        case .collectGarbage:
            // Without the list everything would be garbage.
            guard configuration.validAttachments != nil else {
                throw PluginError(.invalidConfiguration, "there is no list of valid attachments")
            }
        case .delete, .status, .version: break
        }
    }
}
