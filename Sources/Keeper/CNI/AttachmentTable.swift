internal import Addressing
internal import CNI

/// What the runtime has attached, by the plugin: which pod is in which network namespace, enrolled or not. So a
/// namespace that the runtime made for one pod is never taken for another's, whatever its addresses.
struct AttachmentTable {
    struct Entry: Equatable {
        let pod: PodReference
        /// The namespace (SO_NETNS_COOKIE).
        let namespaceCookie: UInt64
        let addresses: [IPAddress]
        /// Where the namespace was, and its inode, to see whether it still is.
        var path = ""
        var inode: UInt64 = 0
    }

    private var entries: [Attachment: Entry] = [:]

    var count: Int { entries.count }

    subscript(attachment: Attachment) -> Entry? { entries[attachment] }

    /// An ADD succeeded. What the pod had in another container is of the past, and so is what others had in this
    /// namespace.
    mutating func added(_ attachment: Attachment, _ entry: Entry) {
        entries = entries.filter { other in
            other.key.containerID == attachment.containerID
                || (other.value.pod.description != entry.pod.description
                    && other.value.namespaceCookie != entry.namespaceCookie)
        }
        entries[attachment] = entry
    }

    /// A DEL.
    /// - Returns: whether that was the container's last attachment, or it had none.
    mutating func removed(_ attachment: Attachment) -> Bool {
        entries[attachment] = nil
        return !entries.keys.contains { $0.containerID == attachment.containerID }
    }

    /// A GC: only those of `valid` are left.
    mutating func keep(_ valid: Set<Attachment>) {
        entries = entries.filter { valid.contains($0.key) }
    }

    /// Forgets those whose namespaces are gone: not every runtime says so.
    mutating func keep(where isLiving: (Entry) -> Bool) {
        entries = entries.filter { isLiving($0.value) }
    }

    /// The pod for which the runtime made the namespace; nil if it did not say.
    func owner(ofNamespace cookie: UInt64) -> PodReference? {
        entries.values.first { $0.namespaceCookie == cookie }?.pod
    }

    /// The addresses of the container's other interfaces, in the order of the interfaces' names.
    func addresses(besides attachment: Attachment) -> [IPAddress] {
        entries.filter { $0.key.containerID == attachment.containerID && $0.key != attachment }
            .sorted { $0.key.interfaceName < $1.key.interfaceName }.flatMap(\.value.addresses)
    }
}
