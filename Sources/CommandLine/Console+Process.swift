internal import Agent
internal import Dispatch
internal import FoundationEssentials
internal import Kernel

extension Console {
    /// The arguments of this process, without its name.
    package static var processArguments: [String] { Array(ProcessInfo.processInfo.arguments.dropFirst()) }

    /// The console of this process.
    package static var process: Console {
        Console(
            write: { StandardStream.output.write(Array($0.utf8)) },
            writeError: { StandardStream.error.write(Array($0.utf8)) },
            isTerminal: isTerminal(1),
            environment: ProcessInfo.processInfo.environment,
            hostName: { hostName },
            makeClient: { AgentSocket(path: $0) },
            pause: { pause($0) },
            readKeeper: { KeeperView.read(from: $0) },
            readFile: { file($0) },
            now: { Timestamp(secondsSince1970: WallClock.secondsSince1970) },
            processes: Processes(
                agent: { runAgent($0) }, worker: { runWorker($0) },
                embeddedController: { runEmbeddedController($0) }, subscriber: { runSubscriber($0) },
                controller: { runController($0) })
        )
    }

    /// By the name of what is open (proc(5)): terminals are /dev/pts/N, /dev/ttyN and the console.
    private static func isTerminal(_ number: Int) -> Bool {
        let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(number)")
        guard let target else { return false }
        return target.hasPrefix("/dev/pts/") || target.hasPrefix("/dev/tty") || target == "/dev/console"
    }

    /// Files of the kernel, which tell no length; lists of modules have up to a few MiB.
    private static func file(_ path: String) -> String? {
        (try? Files.read(path, limit: 16 << 20)).map { String(decoding: $0, as: UTF8.self) }
    }

    private static var hostName: String {
        let bytes = (try? Files.read("/proc/sys/kernel/hostname", limit: 256)) ?? []
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    /// Always true: Ctrl-C ends the process by its signal, which a shell shows as 130.
    private static func pause(_ duration: Duration) -> Bool {
        _ = DispatchSemaphore(value: 0).wait(timeout: .now() + duration.dispatchInterval)
        return true
    }
}
