import Foundation
import Kernel
import Mesh
import Resources
import Testing

@testable import Controller

/// A directory of its own for one test, removed at its end.
private final class TemporaryDirectory {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/meshnode-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ text: String) throws {
        try text.write(toFile: "\(path)/\(name)", atomically: false, encoding: .utf8)
    }

    func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: "\(path)/\(name)") }

    func move(_ name: String, to other: String) throws {
        guard rename("\(path)/\(name)", "\(path)/\(other)") == 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    func link(_ name: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: "\(path)/\(name)", withDestinationPath: target)
    }

    func directory(_ name: String) throws {
        try FileManager.default.createDirectory(atPath: "\(path)/\(name)", withIntermediateDirectories: true)
    }
}

/// Takes what the watcher tells of all changes so far, as if the debounce had passed.
private func refresh(_ source: DirectorySource) -> DirectoryUpdate? {
    guard let due = source.filesChanged(at: .now) else { return nil }
    return source.deadlineReached(at: due).update
}

private func podNames(_ update: DirectoryUpdate?) -> [String]? {
    update?.mesh.state.workloads.values.map(\.name).sorted()
}

@Suite struct `A directory source` {
    @Test func `reads files of any layout and skips what is no manifest`() throws {
        let directory = try TemporaryDirectory()
        try directory.directory("deep/er")
        try directory.write("a.yaml", podText("a/p1", ip: "10.0.0.1") + podText("a/p2", ip: "10.0.0.2"))
        try directory.write("deep/er/b.yml", podText("a/p3", ip: "10.0.0.3"))
        try directory.write(
            "c.json",
            #"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p4","namespace":"a"},"status":{"podIP":"10.0.0.4"}}"#)
        try directory.write("README.md", "kind: [")
        try directory.write(".hidden.yaml", "kind: [")
        let source = try DirectorySource(root: directory.path + "/", parameters: parameters)
        let update = source.load()
        #expect(podNames(update) == ["p1", "p2", "p3", "p4"])
        #expect(update.changes.count == 4)
        #expect(update.problems.filter { $0.severity == .error } == [])
    }

    @Test func `refuses to start on a directory that is missing or is a file`() throws {
        let directory = try TemporaryDirectory()
        try directory.write("file", "")
        for path in ["\(directory.path)/missing", "\(directory.path)/file"] {
            let error = #expect(throws: ControllerError.self) {
                try DirectorySource(root: path, parameters: parameters)
            }
            #expect(error?.code == .directoryMissing)
            #expect(error?.message.contains(path) == true)
        }
    }

    @Test func `tells what changed, and only that`() throws {
        let directory = try TemporaryDirectory()
        try directory.write("a.yaml", podText("a/p1", ip: "10.0.0.1"))
        try directory.write("b.yaml", podText("a/p2", ip: "10.0.0.2"))
        let source = try DirectorySource(root: directory.path, parameters: parameters)
        _ = source.load()
        #expect(refresh(source) == nil)
        try directory.write("b.yaml", podText("a/p2", ip: "10.0.0.3"))
        let update = try #require(refresh(source))
        #expect(update.changes.count == 1)
        #expect(podNames(update) == ["p1", "p2"])
        try directory.remove("a.yaml")
        #expect(
            refresh(source)?.changes == [
                .workloadRemoved(WorkloadUID(cluster: "Kubernetes", podNamespace: "a", podName: "p1"))
            ])
        try directory.write("b.yaml", podText("a/p2", ip: "10.0.0.3") + "# same\n")
        #expect(refresh(source) == nil)
    }

    @Test func `keeps the last good state of a file that turns bad, and reports it until it is good`() throws {
        let directory = try TemporaryDirectory()
        try directory.write("a.yaml", podText("a/p1", ip: "10.0.0.1"))
        let source = try DirectorySource(root: directory.path, parameters: parameters)
        _ = source.load()
        try directory.write("a.yaml", "kind: [")
        let bad = try #require(refresh(source))
        #expect(bad.changes == [])
        #expect(podNames(bad) == ["p1"])
        #expect(bad.problems.first { $0.severity == .error }?.file == "\(directory.path)/a.yaml")
        try directory.write("a.yaml", podText("a/p1", ip: "10.0.0.1"))
        let good = try #require(refresh(source))
        #expect(good.changes == [])
        #expect(good.problems.filter { $0.severity == .error } == [])
    }

    @Test func `follows files and directories that are made, moved and removed`() throws {
        let directory = try TemporaryDirectory()
        let source = try DirectorySource(root: directory.path, parameters: parameters)
        _ = source.load()
        try directory.directory("x/y")
        try directory.write("x/y/a.yaml", podText("a/p1", ip: "10.0.0.1"))
        #expect(podNames(refresh(source)) == ["p1"])
        try directory.move("x/y", to: "z")
        let moved = refresh(source)
        #expect(moved == nil || moved?.changes == [])
        try directory.write("z/b.yaml", podText("a/p2", ip: "10.0.0.2"))
        #expect(podNames(refresh(source)) == ["p1", "p2"])
        try directory.move("z/b.yaml", to: "z/b.txt")
        #expect(podNames(refresh(source)) == ["p1"])
        try directory.remove("z")
        #expect(podNames(refresh(source)) == [])
    }

    @Test func `follows a volume that Kubernetes swaps by a hidden link`() throws {
        let directory = try TemporaryDirectory()
        try directory.directory("..1")
        try directory.directory("..2")
        try directory.write("..1/a.yaml", podText("a/p1", ip: "10.0.0.1"))
        try directory.write("..2/a.yaml", podText("a/p2", ip: "10.0.0.2"))
        try directory.link("..data", to: "..1")
        try directory.link("a.yaml", to: "..data/a.yaml")
        let source = try DirectorySource(root: directory.path, parameters: parameters)
        #expect(podNames(source.load()) == ["p1"])
        try directory.link("..tmp", to: "..2")
        try directory.move("..tmp", to: "..data")
        #expect(podNames(refresh(source)) == ["p2"])
    }

    @Test func `does not walk links in circles`() throws {
        let directory = try TemporaryDirectory()
        try directory.directory("x")
        try directory.link("x/up", to: "..")
        try directory.link("loop.yaml", to: "loop.yaml")
        try directory.write("x/a.yaml", podText("a/p1", ip: "10.0.0.1"))
        let update = try DirectorySource(root: directory.path, parameters: parameters).load()
        #expect(podNames(update) == ["p1"])
        #expect(update.problems.filter { $0.severity == .error }.map(\.file) == ["\(directory.path)/loop.yaml"])
    }

    @Test func `keeps everything when the directory vanishes, says so, and goes on when it is back`() throws {
        let directory = try TemporaryDirectory()
        try directory.directory("root")
        try directory.write("root/a.yaml", podText("a/p1", ip: "10.0.0.1"))
        let source = try DirectorySource(root: directory.path + "/root", parameters: parameters)
        _ = source.load()
        try directory.move("root", to: "away")
        let due = try #require(source.filesChanged(at: .now))
        let (gone, next) = source.deadlineReached(at: due)
        #expect(gone?.changes == [])
        #expect(podNames(gone) == ["p1"])
        #expect(gone?.problems.contains { $0.file.hasSuffix("/root") && $0.reason.contains("stays in force") } == true)
        #expect(source.descriptor == nil)
        let again = try #require(next)
        #expect(source.deadlineReached(at: again).update == nil)
        try directory.directory("root")
        try directory.write("root/a.yaml", podText("a/p2", ip: "10.0.0.2"))
        let (back, end) = source.deadlineReached(at: again + .seconds(1))
        #expect(podNames(back) == ["p2"])
        #expect(back?.problems.contains { $0.file.hasSuffix("/root") } == false)
        #expect(end == nil)
        #expect(source.descriptor != nil)
        try directory.write("root/b.yaml", podText("a/p3", ip: "10.0.0.3"))
        #expect(podNames(refresh(source)) == ["p2", "p3"])
    }

    @Test func `keeps everything when the directory is deleted with its files`() throws {
        let directory = try TemporaryDirectory()
        try directory.directory("root")
        try directory.write("root/a.yaml", podText("a/p1", ip: "10.0.0.1"))
        let source = try DirectorySource(root: directory.path + "/root", parameters: parameters)
        _ = source.load()
        try directory.remove("root")
        let due = try #require(source.filesChanged(at: .now))
        #expect(podNames(source.deadlineReached(at: due).update) == ["p1"])
    }

    @Test func `waits until a burst of changes is over`() throws {
        let directory = try TemporaryDirectory()
        let source = try DirectorySource(root: directory.path, parameters: parameters)
        _ = source.load()
        let start = ContinuousClock.now
        try directory.write("a.yaml", podText("a/p1", ip: "10.0.0.1"))
        let first = try #require(source.filesChanged(at: start))
        try directory.write("b.yaml", podText("a/p2", ip: "10.0.0.2"))
        let second = try #require(source.filesChanged(at: start + .milliseconds(30)))
        #expect(second > first)
        #expect(source.deadlineReached(at: first).update == nil)
        #expect(podNames(source.deadlineReached(at: second).update) == ["p1", "p2"])
    }
}

/// Ends the loop of a test that waits in vain.
private final class Stopwatch: TimerHandler {
    let loop: EventLoop
    init(_ loop: EventLoop) { self.loop = loop }
    func timerFired(at now: ContinuousClock.Instant) { loop.stop() }
}

@Suite struct `A directory driver` {
    @Test func `tells of each change`() throws {
        let directory = try TemporaryDirectory()
        let loop = try EventLoop()
        let source = try DirectorySource(root: directory.path, parameters: parameters)
        var counts: [Int] = []
        let driver = DirectoryDriver(source, loop: loop) { update in
            counts.append(update.mesh.state.workloads.count)
            guard counts.count < 6 else { return loop.stop() }
            try? directory.write("f\(counts.count).yaml", podText("a/p\(counts.count)", ip: "10.0.0.\(counts.count)"))
        }
        try driver.start()
        let limit = loop.schedule(after: .seconds(30), Stopwatch(loop))
        try loop.run()
        loop.cancel(limit)
        driver.stop()
        #expect(counts == [0, 1, 2, 3, 4, 5])
    }
}
