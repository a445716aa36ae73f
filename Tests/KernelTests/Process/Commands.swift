import Glibc
import Kernel

/// Runs programs for tests.
enum Commands {
    /// Runs a program to its end, and tells how it ended and what it wrote to descriptor 3.
    static func run(
        _ path: String, _ arguments: [String], identity: UserIdentity? = nil
    ) throws -> (exit: ProcessExit, output: String) {
        var ends: [Int32] = [-1, -1]
        pipe(&ends)
        let output = Descriptor(owning: ends[0])
        var specification = ChildSpecification(
            arguments: [path] + arguments, environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"])
        specification.path = path
        specification.identity = identity
        specification.descriptors = [ends[1]]
        let child: ChildProcess
        do {
            child = try ChildProcess.start(specification)
            close(ends[1])
        } catch {
            close(ends[1])
            throw error
        }
        let bytes = try output.readAll(limit: 1 << 20)
        return (try wait(for: child), String(decoding: bytes, as: UTF8.self))
    }

    /// Waits for the end of a child.
    static func wait(for child: borrowing ChildProcess) throws -> ProcessExit {
        while true {
            var entry = pollfd(fd: child.descriptor.raw, events: Int16(POLLIN), revents: 0)
            poll(&entry, 1, -1)
            if let exit = try child.reap() { return exit }
        }
    }

    /// Runs `body` on a thread of its own, so that what it does to its thread ends with it.
    static func onOwnThread(_ body: @escaping @Sendable () -> Void) {
        final class Box {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { raw in
                if let raw { Unmanaged<Box>.fromOpaque(raw).takeRetainedValue().body() }
                return nil
            }, Unmanaged.passRetained(Box(body)).toOpaque())
        pthread_join(thread, nil)
    }
}
