import Foundation
import Testing

/// Another time of day for one agent and its children: a library that is loaded before all others adds seconds to what
/// the kernel says. The monotonic clock is left alone, as it is when somebody sets a clock.
struct WrongClock {
    private static let compiler = ["/usr/bin/cc", "/usr/bin/clang", "/usr/bin/gcc"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    static var isPossible: Bool { compiler != nil }

    private let library: String
    private let file: String

    /// - Parameter directory: where its files are made.
    init(directory: String) throws {
        library = directory + "/clock.so"
        file = directory + "/clock"
        guard !FileManager.default.fileExists(atPath: library) else { return }
        try Data(Self.source.utf8).write(to: URL(fileURLWithPath: directory + "/clock.c"))
        try Command.shell("\(Self.compiler ?? "cc") -shared -fPIC -O2 -o \(library) \(directory)/clock.c")
        try Data(count: 8).write(to: URL(fileURLWithPath: file))
    }

    /// What an agent is started through.
    var wrapper: [String] { ["env", "LD_PRELOAD=\(library)", "CLOCK_OFFSET_FILE=\(file)"] }

    /// From now on the clock is `seconds` ahead.
    func set(_ seconds: Int) throws {
        // In place: the processes have the file mapped.
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: file))
        try handle.write(contentsOf: withUnsafeBytes(of: Int64(seconds)) { Data($0) })
        try handle.close()
    }

    private static let source = #"""
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <stdint.h>
        #include <stdlib.h>
        #include <sys/mman.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>

        static const int64_t none = 0;
        static volatile const int64_t *ahead = &none;

        __attribute__((constructor)) static void begin(void) {
            const char *path = getenv("CLOCK_OFFSET_FILE");
            int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
            if (file < 0) return;
            void *mapped = mmap(0, sizeof none, PROT_READ, MAP_SHARED, file, 0);
            if (mapped != MAP_FAILED) ahead = mapped;
            close(file);
        }

        int clock_gettime(clockid_t id, struct timespec *time) {
            if (syscall(SYS_clock_gettime, id, time) != 0) return -1;
            if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) time->tv_sec += *ahead;
            return 0;
        }

        int gettimeofday(struct timeval *time, void *zone) {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            time->tv_sec = now.tv_sec;
            time->tv_usec = now.tv_nsec / 1000;
            return 0;
        }

        time_t time(time_t *time) {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            if (time) *time = now.tv_sec;
            return now.tv_sec;
        }
        """#
}

extension OnTwoNodes.Identities {
    @Suite(.enabled(if: WrongClock.isPossible, "skipped: needs a C compiler"))
    struct `The clock of node b is wrong` {
        let mesh: IdentityMesh
        private let clock: WrongClock

        init() throws {
            mesh = try IdentityMeshTrait.shared()
            clock = try WrongClock(directory: mesh.directory)
            try mesh.run(lifetime: "24h")
            try clock.set(0)
            try mesh.restartAgent(.b, wrapper: clock.wrapper)
            try mesh.waitUntilReady()
        }

        /// Sets the clock of node b, `seconds` off, and waits until its worker has it.
        private func set(_ seconds: Int) throws {
            try clock.set(seconds)
            let format = ISO8601DateFormatter()
            format.formatOptions = [.withInternetDateTime]
            try eventually("node b's clock is \(seconds) s off") {
                let text = try mesh.agent(.b).status["time"].text
                let time = text.replacingOccurrences(of: #"\.\d+"#, with: "", options: .regularExpression)
                guard let date = format.date(from: time) else { throw CommandFailed(description: "'\(text)'") }
                return abs(date.timeIntervalSinceNow - Double(seconds)) < 30
            }
        }

        /// No tunnel of before is left: every connection needs a handshake.
        private func endTunnels() throws {
            let worker = try mesh.agent(.a).child("worker")
            kill(worker, SIGKILL)
            try eventually("node a serves again", within: 20) {
                try mesh.agent(.a).child("worker") != worker && mesh.agent(.a).isReady(captured: 1)
            }
        }

        @Test(arguments: [300, -300])
        func `by five minutes: nobody notices`(seconds: Int) throws {
            try set(seconds)
            try endTunnels()
            #expect(try mesh.echo() == "x|eof")
            #expect(try mesh.echo(from: IdentityMesh.api) == "x|eof")
            // It may join and be given certificates, too.
            try mesh.restartAgent(.b, wrapper: clock.wrapper)
            try mesh.waitUntilReady()
        }

        @Test(arguments: [(90_000, "ahead of"), (-90_000, "behind")])
        func `by 25 hours: connections are refused, it is said why, and all is well when it is right again`(
            seconds: Int, direction: String
        ) throws {
            let reason = seconds > 0 ? "CERT_EXPIRED" : "CERT_NOT_YET_VALID"
            try set(seconds)
            try endTunnels()
            try eventually("no connection is made") {
                try mesh.echo() != "x|eof" && mesh.echo(from: IdentityMesh.api) != "x|eof"
            }
            let refusals = try mesh.agent(.b).refusals
            #expect(refusals.last?["reason"].text == reason, "\(refusals)")
            let told = try eventually("the mesh's status names the clock of node b", within: 15) {
                try mesh.agent(.a).report("status")["problems"].items
                    .first { $0["code"].text == "MN4005" && $0["object"].text.contains("node-b") }
            }
            #expect(told["cause"].text.contains(direction), "\(told)")
            try set(0)
            try mesh.waitUntilReady()
            try eventually("nobody complains about a clock", within: 15) {
                try !mesh.agent(.a).report("status")["problems"].items.contains { $0["code"].text == "MN4005" }
            }
        }
    }
}
