internal import CLinux
internal import Glibc

/// What happened below a watched directory since it was last asked.
package enum DirectoryChanges: Hashable, Sendable {
    case none
    /// These files or directories appeared, changed or went: paths as the watcher was given the root, each once.
    case changed(Set<String>)
    /// So much happened that the kernel dropped some of it: look at everything.
    case overflowed
    /// The root itself is gone or was moved away: nothing more will be told.
    case rootGone
}

/// Tells of changes in a directory and all below it (inotify(7)). Links to directories are followed.
///
/// Confined to one thread. A file is told of when it was written and closed, moved, or deleted, so it is never read
/// half written by a writer that closes it.
package final class DirectoryWatcher {
    /// Readable when something changed.
    package let descriptor: Descriptor
    private let root: String
    private var paths: [Int32: String] = [:]
    private var rootWatch: Int32 = -1

    /// A bound against a link that leads to a parent by ever new mounts.
    private static let maxDepth = 32
    private static let events = UInt32(
        IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB
    )

    /// - Throws: if `root` is not a directory or cannot be read, or the user's inotify limits are reached (ENOSPC,
    ///   EMFILE).
    package init(root: String) throws(SystemError) {
        self.root = root
        descriptor = Descriptor(
            owning: try retrying("inotify_init1") { inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK)) })
        rootWatch = try addWatch(root)
        watchTree(root, depth: 0)
    }

    /// How many directories are watched.
    package var watchCount: Int { paths.count }

    /// Everything since the last call, coalesced.
    package func changes() throws(SystemError) -> DirectoryChanges {
        var changed: Set<String> = []
        var isOverflowed = false
        var isRootGone = false
        while let events = try readEvents() {
            for event in events {
                if event.mask & UInt32(IN_Q_OVERFLOW) != 0 { isOverflowed = true }
                if event.watch == rootWatch, event.mask & UInt32(IN_DELETE_SELF | IN_MOVE_SELF) != 0 {
                    isRootGone = true
                }
                if let path = handle(event) { changed.insert(path) }
            }
        }
        if isRootGone { return .rootGone }
        if isOverflowed {
            watchTree(root, depth: 0)
            return .overflowed
        }
        return changed.isEmpty ? .none : .changed(changed)
    }

    private struct Event {
        let watch: Int32
        let mask: UInt32
        let name: String
    }

    /// The path that the event is about; nil if it is about none.
    private func handle(_ event: Event) -> String? {
        guard let directory = paths[event.watch] else { return nil }
        if event.mask & UInt32(IN_IGNORED) != 0 {
            paths[event.watch] = nil
            return nil
        }
        if event.name.isEmpty { return directory }
        let path = "\(directory)/\(event.name)"
        if event.mask & UInt32(IN_CREATE | IN_MOVED_TO) != 0, Files.status(path)?.isDirectory == true {
            watchIfNew(path, depth: path.split(separator: "/").count - root.split(separator: "/").count)
        }
        return path
    }

    /// Watches what is below `path`, which is watched already. A part that vanishes meanwhile is told by its parent.
    private func watchTree(_ path: String, depth: Int) {
        guard depth < Self.maxDepth else { return }
        for name in (try? Files.list(path)) ?? [] {
            let child = "\(path)/\(name)"
            if Files.status(child)?.isDirectory == true { watchIfNew(child, depth: depth + 1) }
        }
    }

    private func watchIfNew(_ path: String, depth: Int) {
        // The same directory by another path gives the same number: that ends loops of links.
        let known = paths
        guard let watch = try? addWatch(path), known[watch] != paths[watch] else { return }
        watchTree(path, depth: depth)
    }

    private func addWatch(_ path: String) throws(SystemError) -> Int32 {
        let number = descriptor.raw
        let flags = Self.events | UInt32(IN_ONLYDIR)
        let watch = try retrying("inotify_add_watch \(path)") { unsafe inotify_add_watch(number, path, flags) }
        if paths[watch] == nil || Files.status(paths[watch] ?? "") == nil { paths[watch] = path }
        return watch
    }

    private func readEvents() throws(SystemError) -> [Event]? {
        var buffer = [UInt8](repeating: 0, count: 16_384)
        let number = descriptor.raw
        let count = unsafe buffer.withUnsafeMutableBytes { space in
            interruptible { unsafe read(number, space.baseAddress, space.count) }
        }
        if count < 0 {
            let code = errno
            if code == EAGAIN { return nil }
            throw SystemError("read inotify", code)
        }
        return count == 0 ? nil : Self.parse(buffer[..<count])
    }

    /// struct inotify_event: watch, mask, cookie, length of the name, name padded with zeros.
    private static func parse(_ bytes: ArraySlice<UInt8>) -> [Event] {
        var events: [Event] = []
        var rest = bytes
        while rest.count >= 16 {
            let fields = unsafe rest.withUnsafeBytes { raw in
                unsafe (
                    raw.loadUnaligned(as: Int32.self), raw.loadUnaligned(fromByteOffset: 4, as: UInt32.self),
                    Int(raw.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
                )
            }
            guard rest.count - 16 >= fields.2 else { break }
            let name = rest.dropFirst(16).prefix(fields.2).prefix { $0 != 0 }
            events.append(Event(watch: fields.0, mask: fields.1, name: String(decoding: name, as: UTF8.self)))
            rest = rest.dropFirst(16 + fields.2)
        }
        return events
    }
}
