import Foundation

/// Takes everything of one test run away, whatever becomes of the run: a process of its own that waits until the
/// test process closes a pipe, or ends.
final class Janitor {
    private let process = Process()
    private let pipe = Pipe()
    private let prefix: String

    /// - Parameters:
    ///   - prefix: the start of the names of all namespaces of this run.
    ///   - directory: removed with all in it.
    init(prefix: String, directory: String) throws {
        self.prefix = prefix
        process.executableURL = URL(fileURLWithPath: "/usr/bin/setsid")
        process.arguments = ["/bin/sh", "-c", Self.script, "janitor", prefix, directory]
        process.standardInput = pipe
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    /// Cleans up now, and waits for it.
    func clean() {
        try? pipe.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// Namespaces of this run that exist.
    var namespaces: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/run/netns")) ?? []
        return names.filter { $0.hasPrefix(prefix) }
    }

    /// Only processes in namespaces of this run's own are ended: all of them are ours.
    private static let script = """
        cat >/dev/null
        for path in /run/netns/"$1"*; do
            [ -e "$path" ] || continue
            for pid in $(ip netns pids "${path##*/}"); do kill -KILL "$pid"; done
        done
        for path in /run/netns/"$1"*; do
            [ -e "$path" ] && ip netns del "${path##*/}"
        done
        rm -rf -- "$2"
        """
}
