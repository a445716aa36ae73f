import Glibc
import Kernel
import Synchronization
import Testing

/// A directory of a test's own, deleted with the object.
final class TestDirectory: Sendable {
    private static let counter = Atomic<Int>(0)
    let path: String

    init() {
        let number = Self.counter.add(1, ordering: .relaxed).newValue
        path = "/tmp/mnt-keeper-\(CurrentProcess.pid)-\(number)"
        mkdir(path, 0o755)
    }

    deinit {
        _ = try? Commands.run("/bin/rm", ["-rf", path])
    }
}

@Suite struct FilesTests {
    private let directory = TestDirectory()

    private func write(_ text: String, _ name: String, mode: UInt32 = 0o644) throws {
        try Files.writeAtomically(Array(text.utf8), to: "\(directory.path)/\(name)", mode: mode)
    }

    @Test func `a file is replaced whole, with the mode that was asked for`() throws {
        let path = "\(directory.path)/file"
        try write("first", "file", mode: 0o600)
        #expect(Files.status(path)?.mode == 0o600)
        try write("second", "file", mode: 0o640)
        #expect(try Files.read(path, limit: 100) == Array("second".utf8))
        #expect(Files.status(path)?.mode == 0o640)
        #expect(try Files.list(directory.path) == ["file"])
    }

    @Test func `a file over the limit is refused`() throws {
        try write("12345", "file")
        #expect(try Files.read("\(directory.path)/file", limit: 5).count == 5)
        #expect(throws: SystemError("read \(directory.path)/file", EFBIG)) {
            try Files.read("\(directory.path)/file", limit: 4)
        }
        #expect(throws: SystemError("open /nowhere", ENOENT)) { try Files.read("/nowhere", limit: 4) }
    }

    @Test func `directories are made with those above them`() throws {
        try Files.makeDirectory("\(directory.path)/a/b/c", mode: 0o700)
        #expect(Files.status("\(directory.path)/a/b/c")?.isDirectory == true)
        try Files.makeDirectory("\(directory.path)/a/b/c", mode: 0o700)
        try write("x", "file")
        #expect(throws: SystemError.self) { try Files.makeDirectory("\(directory.path)/file/d", mode: 0o700) }
    }
}

@Suite struct UnixSocketTests {
    private let directory = TestDirectory()

    @Test func `a listener has its mode and takes connections`() throws {
        let path = "\(directory.path)/socket"
        let listener = try UnixSocket.listen(path, mode: 0o600)
        #expect(Files.status(path)?.mode == 0o600)
        guard case .wouldBlock = UnixSocket.accept(listener) else {
            Issue.record("a connection out of nothing")
            return
        }
        let client = try UnixSocket.connect(path)
        try client.writeAll([42])
        guard case .accepted(let server) = UnixSocket.accept(listener) else {
            Issue.record("no connection")
            return
        }
        #expect(try server.peerCredentials().pid == CurrentProcess.pid)
        var byte: UInt8 = 0
        #expect(read(server.raw, &byte, 1) == 1 && byte == 42)
    }

    @Test func `a path in use is refused, a stale one is taken over`() throws {
        let path = "\(directory.path)/socket"
        do {
            let first = try UnixSocket.listen(path, mode: 0o600)
            #expect(throws: SystemError("bind \(path)", EADDRINUSE)) { _ = try UnixSocket.listen(path, mode: 0o600) }
            _ = first.raw
        }
        _ = try UnixSocket.listen(path, mode: 0o600)
    }

    @Test func `what is not a socket is not deleted`() throws {
        let path = "\(directory.path)/file"
        try Files.writeAtomically([1], to: path, mode: 0o600)
        #expect(throws: SystemError("bind \(path)", EADDRINUSE)) { _ = try UnixSocket.listen(path, mode: 0o600) }
        #expect(Files.status(path) != nil)
    }

    @Test func `a path too long for a socket is refused`() {
        let path = "/tmp/" + String(repeating: "x", count: 120)
        #expect(throws: SystemError("socket path \(path)", ENAMETOOLONG)) {
            _ = try UnixSocket.listen(path, mode: 0o600)
        }
    }
}

@Suite struct DirectoryWatcherTests {
    private let directory = TestDirectory()

    private func write(_ name: String) throws {
        try Files.writeAtomically([1], to: "\(directory.path)/\(name)", mode: 0o644)
    }

    /// Changes until `path` is among them.
    private func wait(for path: String, _ watcher: DirectoryWatcher) throws -> Bool {
        while true {
            var entry = pollfd(fd: watcher.descriptor.raw, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 5000) == 1 else { return false }
            guard case .changed(let paths) = try watcher.changes() else { continue }
            if paths.contains("\(directory.path)/\(path)") { return true }
        }
    }

    @Test func `nothing is told while nothing changes`() throws {
        let watcher = try DirectoryWatcher(root: directory.path)
        #expect(try watcher.changes() == .none)
    }

    @Test func `a file that is written, replaced and deleted is told of`() throws {
        let watcher = try DirectoryWatcher(root: directory.path)
        try write("a.yaml")
        #expect(try wait(for: "a.yaml", watcher))
        try write("a.yaml")
        #expect(try wait(for: "a.yaml", watcher))
        try Files.remove("\(directory.path)/a.yaml")
        #expect(try wait(for: "a.yaml", watcher))
    }

    @Test func `directories made later are watched, as deep as they go`() throws {
        let watcher = try DirectoryWatcher(root: directory.path)
        try Files.makeDirectory("\(directory.path)/one", mode: 0o755)
        #expect(try wait(for: "one", watcher))
        try Files.makeDirectory("\(directory.path)/one/two/three", mode: 0o755)
        #expect(try wait(for: "one/two", watcher))
        try write("one/two/three/file")
        #expect(try wait(for: "one/two/three/file", watcher))
        #expect(watcher.watchCount == 4)
    }

    @Test func `a link that is switched to another directory is followed`() throws {
        let target = TestDirectory()
        let watcher = try DirectoryWatcher(root: directory.path)
        #expect(symlink(target.path, "\(directory.path)/new") == 0)
        #expect(rename("\(directory.path)/new", "\(directory.path)/data") == 0)
        #expect(try wait(for: "data", watcher))
        try Files.writeAtomically([1], to: "\(target.path)/file", mode: 0o644)
        #expect(try wait(for: "data/file", watcher))
    }

    @Test func `links in a circle end`() throws {
        #expect(symlink(directory.path, "\(directory.path)/again") == 0)
        let watcher = try DirectoryWatcher(root: directory.path)
        #expect(watcher.watchCount == 1)
        try write("file")
        #expect(try wait(for: "file", watcher))
    }

    @Test func `the loss of the root is told, a missing root is refused`() throws {
        let path = "\(directory.path)/root"
        try Files.makeDirectory(path, mode: 0o755)
        let watcher = try DirectoryWatcher(root: path)
        #expect(rmdir(path) == 0)
        #expect(try watcher.changes() == .rootGone)
        #expect(throws: SystemError("inotify_add_watch \(path)", ENOENT)) { _ = try DirectoryWatcher(root: path) }
    }
}
