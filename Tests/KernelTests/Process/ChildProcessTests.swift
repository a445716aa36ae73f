import Glibc
import Kernel
import NamespaceTestSupport
import Testing

@Suite struct ChildProcessTests {
    private static let isRoot = (try? CurrentProcess.missingCapabilities(Capability.allCases)) == []

    private func status(identity: UserIdentity?) throws -> [String: String] {
        let output = try Commands.run("/bin/sh", ["-c", "exec cat /proc/self/status >&3"], identity: identity).output
        var fields: [String: String] = [:]
        for line in output.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 {
                fields[String(parts[0])] = parts[1].split(whereSeparator: \.isWhitespace).joined(separator: " ")
            }
        }
        return fields
    }

    @Test(.enabled(if: isRoot, "needs root"), arguments: [UInt32(65532), 0])
    func `a child with an identity has no capability in any set, whoever it is`(uid: UInt32) throws {
        let fields = try status(identity: UserIdentity(uid: uid, gid: 65532))
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] { #expect(fields[set] == "0000000000000000") }
        #expect(fields["NoNewPrivs"] == "1")
        #expect(fields["Uid"] == "\(uid) \(uid) \(uid) \(uid)")
        #expect(fields["Gid"] == "65532 65532 65532 65532")
        #expect(fields["Groups"] == "")
    }

    @Test(.enabled(if: isRoot, "needs root"))
    func `a child without an identity keeps what the parent has`() throws {
        #expect(try status(identity: nil)["CapEff"] != "0000000000000000")
    }

    @Test func `a child has the descriptors it was given and no other`() throws {
        // An open descriptor without CLOEXEC, as a careless library leaves it.
        let leaked = dup(0)
        defer { close(leaked) }
        let output = try Commands.run("/bin/sh", ["-c", "for f in /proc/self/fd/*; do echo ${f##*/}; done >&3"]).output
        let numbers = output.split(separator: "\n").compactMap { Int32($0) }
        #expect(numbers.contains(3))
        #expect(!numbers.contains(leaked) || leaked <= 3)
    }

    @Test func `descriptors arrive in order, whatever their numbers were`() throws {
        var ends: [[Int32]] = []
        for _ in 0..<3 {
            var pair: [Int32] = [-1, -1]
            pipe(&pair)
            ends.append(pair)
        }
        var specification = ChildSpecification(arguments: ["sh", "-c", "echo a >&3; echo b >&4; echo c >&5"])
        specification.path = "/bin/sh"
        specification.descriptors = [ends[2][1], ends[0][1], ends[1][1]]
        let child = try ChildProcess.start(specification)
        for pair in ends { close(pair[1]) }
        #expect(try Commands.wait(for: child) == .exited(code: 0))
        let texts = try ends.map { String(decoding: try Descriptor(owning: $0[0]).readAll(limit: 100), as: UTF8.self) }
        #expect(texts == ["b\n", "c\n", "a\n"])
    }

    @Test func `a program that cannot be started is told with the step that failed`() {
        #expect(throws: SystemError("start /nowhere/at/all: execve", ENOENT)) {
            _ = try Commands.run("/nowhere/at/all", [])
        }
    }

    @Test func `the exit code and the signal of a child are told`() throws {
        #expect(try Commands.run("/bin/sh", ["-c", "exit 7"]).exit == .exited(code: 7))
        #expect(try Commands.run("/bin/sh", ["-c", "kill -TERM $$"]).exit == .killed(signal: SIGTERM))
    }

    @Test func `a child that runs is not reaped, and one that is killed is`() throws {
        var specification = ChildSpecification(arguments: ["sleep", "1000"])
        specification.path = "/bin/sleep"
        let child = try ChildProcess.start(specification)
        #expect(try child.reap() == nil)
        child.signal(SIGKILL)
        #expect(try Commands.wait(for: child) == .killed(signal: SIGKILL))
        child.signal(SIGKILL)
    }
}

@Suite struct CurrentProcessTests {
    @Test(.enabled(if: TestNamespace.isAvailable, "needs root and ip"))
    func `after the deny-list no namespace is entered and no program started, sockets still open`() {
        Commands.onOwnThread {
            #expect(throws: Never.self) { try NetworkNamespace.current().perform {} }
            #expect(throws: Never.self) { try CurrentProcess.denyDangerousCalls(inAllThreads: false) }
            #expect(throws: SystemError("setns", EPERM)) { try NetworkNamespace.current() }
            #expect(throws: SystemError("start /bin/true: execve", EPERM)) { _ = try Commands.run("/bin/true", []) }
            #expect(chroot("/") == -1 && errno == EPERM)
            #expect(mount("none", "/mnt", "tmpfs", 0, nil) == -1 && errno == EPERM)
            #expect(throws: Never.self) { _ = try TCPSocket.make(.v4) }
            #expect(throws: Never.self) { _ = try Files.read("/proc/self/status", limit: 1 << 16) }
        }
    }

    @Test(.enabled(if: TestNamespace.isAvailable, "needs root and ip"))
    func `after the deny-list threads can be started`() {
        Commands.onOwnThread {
            #expect(throws: Never.self) { try CurrentProcess.denyDangerousCalls(inAllThreads: false) }
            nonisolated(unsafe) var hasRun = false
            Commands.onOwnThread { hasRun = true }
            #expect(hasRun)
        }
    }

    @Test func `resident memory is told in bytes, and nothing of a process that is not there`() throws {
        #expect(try #require(CurrentProcess.residentBytes()) > 1 << 20)
        #expect(CurrentProcess.residentBytes(of: 0x7fff_fff0) == nil)
    }

    @Test func `the limit of open files rises to what the hard limit allows`() throws {
        let limit = try CurrentProcess.raiseDescriptorLimit(to: 4096)
        #expect(limit >= 1024)
        #expect(try CurrentProcess.raiseDescriptorLimit(to: 16) >= limit)
    }

    @Test func `capabilities that are missing are told by name`() throws {
        Commands.onOwnThread {
            #expect(Capability.netAdmin.description == "CAP_NET_ADMIN")
            let missing = try? CurrentProcess.missingCapabilities(Capability.allCases)
            #expect(missing != nil)
        }
    }

    @Test func `a lock is held once and names its holder`() throws {
        let path = "/tmp/mnt-keeper-lock-\(CurrentProcess.pid)"
        defer { try? Files.remove(path) }
        do {
            guard case .locked(let lock) = try FileLock.acquire(path) else {
                Issue.record("not locked")
                return
            }
            switch try FileLock.acquire(path) {
            case .locked: Issue.record("locked twice")
            case .heldByOther(let pid): #expect(pid == CurrentProcess.pid)
            }
            lock.forget()
        }
        // A child that another test forks at this moment holds the lock until it executes its program.
        for _ in 0..<5000 {
            if case .locked = try FileLock.acquire(path) { return }
            usleep(1000)
        }
        Issue.record("not locked again after the first lock ended")
    }

    @Test func `a blocked signal is read from its source`() {
        Commands.onOwnThread {
            guard let source = try? SignalSource([.hangUp]) else {
                Issue.record("no signalfd")
                return
            }
            #expect(source.next() == nil)
            pthread_kill(pthread_self(), SIGHUP)
            #expect(source.next() == .hangUp)
        }
    }
}
