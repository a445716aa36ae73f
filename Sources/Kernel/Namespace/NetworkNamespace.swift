package import Addressing
internal import CLinux
internal import Glibc

/// A network namespace, held open: it lives at least as long as this object.
package final class NetworkNamespace: Sendable {
    /// Refers to the namespace (an nsfs file).
    package let descriptor: Descriptor
    /// The number of the nsfs file: equal for all that refer to the same namespace while one of them is open, used
    /// again after that.
    package let inode: UInt64
    /// The kernel's number for the namespace, never used again (SO_NETNS_COOKIE).
    package let cookie: UInt64

    /// Takes an open nsfs file.
    private init(_ descriptor: consuming Descriptor) throws(SystemError) {
        inode = try descriptor.inode()
        cookie = try Self.callInside(descriptor) { () throws(SystemError) in try Self.currentCookie() }
        self.descriptor = descriptor
    }

    /// Opens the namespace that `path` names, such as `/run/netns/web` or `/proc/17/ns/net`.
    package static func open(path: String) throws(SystemError) -> NetworkNamespace {
        try NetworkNamespace(Descriptor.open(path, .read))
    }

    /// Takes over one that another process holds open.
    /// - Throws: EINVAL if `descriptor` is no network namespace.
    package static func adopt(_ descriptor: consuming Descriptor) throws(SystemError) -> NetworkNamespace {
        try NetworkNamespace(descriptor)
    }

    /// The namespace that the calling thread is in.
    package static func current() throws(SystemError) -> NetworkNamespace {
        try NetworkNamespace(openCurrent())
    }

    private static func openCurrent() throws(SystemError) -> Descriptor {
        try Descriptor.open("/proc/thread-self/ns/net", .read)
    }

    /// Runs `body` with the calling thread inside the namespace, and returns to where it was. `body` must not
    /// suspend. Needs CAP_SYS_ADMIN.
    /// - Throws: `SystemError` if the namespace cannot be entered, and what `body` throws.
    package func perform<R: ~Copyable, E: Error>(_ body: () throws(E) -> R) throws -> R {
        let home = try Self.enter(descriptor)
        defer { Self.leave(to: home) }
        return try body()
    }

    /// As `perform`, for a body of nothing but system calls.
    package func performSystemCalls<R: ~Copyable>(_ body: () throws(SystemError) -> R) throws(SystemError) -> R {
        try Self.callInside(descriptor, body)
    }

    private static func callInside<R: ~Copyable>(
        _ namespace: borrowing Descriptor, _ body: () throws(SystemError) -> R
    ) throws(SystemError) -> R {
        let home = try enter(namespace)
        defer { leave(to: home) }
        return try body()
    }

    private static func enter(_ namespace: borrowing Descriptor) throws(SystemError) -> Descriptor {
        let home = try openCurrent()
        let number = namespace.raw
        try retrying("setns") { mn_setns(number, Int32(MN_CLONE_NEWNET)) }
        return home
    }

    private static func leave(to home: borrowing Descriptor) {
        let number = home.raw
        do {
            try retrying("setns") { mn_setns(number, Int32(MN_CLONE_NEWNET)) }
        } catch {
            // A privileged thread that stays in a pod's namespace would open every later socket there: nothing
            // that follows could be trusted.
            abort()
        }
    }

    private static func currentCookie() throws(SystemError) -> UInt64 {
        let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let socket = Descriptor(owning: try retrying("socket") { Glibc.socket(AF_UNIX, type, 0) })
        var cookie: UInt64 = 0
        var length = socklen_t(MemoryLayout<UInt64>.size)
        let number = socket.raw
        try retrying("SO_NETNS_COOKIE") {
            unsafe getsockopt(number, SOL_SOCKET, Int32(MN_SO_NETNS_COOKIE), &cookie, &length)
        }
        return cookie
    }

    /// The addresses of the namespace's interfaces, without loopback and link-local ones (getifaddrs(3)).
    package func addresses() throws(SystemError) -> Set<IPAddress> {
        try performSystemCalls { () throws(SystemError) in try InterfaceAddresses.ofThisThread() }
    }
}
