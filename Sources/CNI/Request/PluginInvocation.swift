/// What a runtime hands to the plugin, not looked at yet: the variables and the standard input. Empty is missing.
package struct PluginInvocation: Equatable, Sendable {
    /// CNI_COMMAND
    package var command: String
    /// CNI_CONTAINERID
    package var containerID: String
    /// CNI_NETNS
    package var namespacePath: String
    /// CNI_IFNAME
    package var interfaceName: String
    /// CNI_ARGS
    package var arguments: String
    /// The network configuration, as JSON.
    package var configuration: [UInt8]

    package init(
        command: String, containerID: String = "", namespacePath: String = "", interfaceName: String = "",
        arguments: String = "", configuration: [UInt8]
    ) {
        self.command = command
        self.containerID = containerID
        self.namespacePath = namespacePath
        self.interfaceName = interfaceName
        self.arguments = arguments
        self.configuration = configuration
    }
}

/// One interface of one container: what an ADD makes and a DEL takes away.
package struct Attachment: Hashable, Sendable, CustomStringConvertible {
    package let containerID: String
    package let interfaceName: String

    package init(containerID: String, interfaceName: String) {
        self.containerID = containerID
        self.interfaceName = interfaceName
    }

    package var description: String { "\(containerID)/\(interfaceName)" }

    /// CNI_CONTAINERID starts with an alphanumeric character; those, underscore, dot and hyphen may follow.
    static func isContainerID(_ text: String) -> Bool {
        guard let first = text.utf8.first, isAlphanumeric(first), text.utf8.count <= 256 else { return false }
        return text.utf8.allSatisfy { isAlphanumeric($0) || "_.-".utf8.contains($0) }
    }

    /// What Linux takes for the name of an interface (dev_valid_name in net/core/dev.c).
    static func isInterfaceName(_ text: String) -> Bool {
        guard (1...15).contains(text.utf8.count), text != ".", text != ".." else { return false }
        return text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !"/:".utf8.contains($0) }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }
}
