import Addressing
import Glibc
import Mesh
import NamespaceTestSupport
import TestSupport
import Testing

@testable import Keeper
@testable import Kernel

/// A cgroup hierarchy in which tests make pods' cgroups.
enum TestHierarchy: String, CaseIterable {
    case second = "/sys/fs/cgroup"
    case unified = "/sys/fs/cgroup/unified"
    case pids = "/sys/fs/cgroup/pids"

    /// Those that are there and may be written.
    static let writable = allCases.filter { hierarchy in
        let probe = "\(hierarchy.rawValue)/meshnode-test-\(CurrentProcess.pid)"
        defer { rmdir(probe) }
        return mkdir(probe, 0o755) == 0 && access("\(probe)/cgroup.procs", W_OK) == 0
    }
}

/// A process that sleeps in a network namespace and, if one is given, in a pod's cgroup.
private final class Sleeper {
    let pid: Int32
    private let process: ChildProcess
    private let directories: [String]

    /// - Parameters:
    ///   - namespace: nil: that of the machine.
    ///   - cgroup: below the hierarchy's root, with each directory above it.
    init(
        in namespace: TestNamespace?, cgroup: String? = nil, _ hierarchy: TestHierarchy = TestHierarchy.writable[0]
    ) throws {
        let path = namespace?.path ?? "/proc/self/ns/net"
        var specification = ChildSpecification(
            arguments: ["nsenter", "--net=\(path)", "sleep", "1000"],
            environment: ["PATH=/usr/bin:/bin"])
        specification.path = "/usr/bin/nsenter"
        specification.parentDeathSignal = SIGKILL
        process = try ChildProcess.start(specification)
        pid = process.pid
        var directories: [String] = []
        for part in (cgroup ?? "").split(separator: "/") {
            directories.append("\(directories.last ?? hierarchy.rawValue)/\(part)")
            mkdir(directories.last ?? "", 0o755)
        }
        self.directories = directories
        if let own = directories.last {
            try #require(shell("echo \(pid) >\(own)/cgroup.procs"), "the process cannot be moved into \(own)")
        }
        // nsenter has done its work when sleep runs in its place.
        while Files.status("/proc/\(pid)/ns/net") != Files.status(path) { sched_yield() }
    }

    deinit {
        process.signal(SIGKILL)
        var entry = pollfd(fd: process.descriptor.raw, events: Int16(POLLIN), revents: 0)
        poll(&entry, 1, 10_000)
        _ = try? process.reap()
        for directory in directories.reversed() { rmdir(directory) }
    }
}

@Suite(
    .serialized,
    .enabled(if: TestNamespace.isAvailable, "needs root, ip and nft"),
    .enabled(if: !TestHierarchy.writable.isEmpty, "needs a cgroup hierarchy that may be written"))
struct NamespaceFinderTests {
    private let finder = NamespaceFinder(directories: ["/run/netns"])
    private let nameless = NamespaceFinder(directories: [])
    private let uid = "7b1d9c4e-0a52-4d0a-9e3b-0123456789ab"
    private let other = "11111111-0a52-4d0a-9e3b-0123456789ab"

    private func find(
        _ finder: NamespaceFinder, _ podUID: String, _ address: String
    ) -> FoundNamespace? {
        let key = WorkloadUID("pod")
        return finder.find([SoughtPod(uid: key, podUID: podUID, addresses: [ip(address)])])[key]
    }

    private func cgroup(_ uid: String, systemd: Bool = false) -> String {
        guard systemd else { return "kubepods/besteffort/pod\(uid)/container" }
        let name = String(uid.map { $0 == "-" ? "_" : $0 })
        return "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod\(name).slice/container.scope"
    }

    @Test(arguments: TestHierarchy.writable, [false, true])
    func `a pod without a named namespace is found by its processes' cgroup`(
        hierarchy: TestHierarchy, systemd: Bool
    ) throws {
        let namespace = TestNamespace(addresses: ["10.204.1.1/32"])
        let sleeper = try Sleeper(in: namespace, cgroup: cgroup(uid, systemd: systemd), hierarchy)
        let found = try #require(find(nameless, uid, "10.204.1.1"))
        #expect(found.path == "/proc/\(sleeper.pid)/ns/net")
        #expect(try found.namespace.cookie == namespace.open().cookie)
        withExtendedLifetime(sleeper) {}
    }

    @Test func `a namespace of another pod's processes is never taken, whatever its addresses`() throws {
        let stolen = TestNamespace(addresses: ["10.204.2.1/32"])
        let thief = try Sleeper(in: stolen, cgroup: cgroup(other))
        #expect(find(nameless, uid, "10.204.2.1") == nil)
        #expect(find(finder, uid, "10.204.2.1") == nil)
        #expect(find(finder, other, "10.204.2.1") != nil)
        withExtendedLifetime(thief) {}
    }

    @Test func `where the pod has a cgroup only that counts, even before a name`() throws {
        let named = TestNamespace(addresses: ["10.204.3.1/32"])
        let own = TestNamespace(addresses: ["10.204.3.1/32"])
        let sleeper = try Sleeper(in: own, cgroup: cgroup(uid))
        #expect(try find(finder, uid, "10.204.3.1")?.namespace.cookie == own.open().cookie)
        #expect(find(finder, uid, "10.204.3.2") == nil)
        withExtendedLifetime((sleeper, named)) {}
    }

    @Test func `of a pod's processes the oldest one's namespace wins`() throws {
        let (first, second) = (TestNamespace(addresses: ["10.204.4.1/32"]), TestNamespace(addresses: ["10.204.4.1/32"]))
        let older = try Sleeper(in: second, cgroup: cgroup(uid))
        let younger = try Sleeper(in: first, cgroup: cgroup(uid))
        #expect(try find(nameless, uid, "10.204.4.1")?.namespace.cookie == second.open().cookie)
        withExtendedLifetime((older, younger)) {}
    }

    @Test func `a process of the pod in the machine's namespace is no find`() throws {
        let sleeper = try Sleeper(in: nil, cgroup: cgroup(uid))
        shell("ip addr add 10.204.5.1/32 dev lo")
        defer { shell("ip addr del 10.204.5.1/32 dev lo") }
        #expect(try InterfaceAddresses.ofThisThread().contains(ip("10.204.5.1")))
        #expect(find(finder, uid, "10.204.5.1") == nil)
        withExtendedLifetime(sleeper) {}
    }

    @Test func `without a cgroup of its own a pod is found by name, or by a process that is no pod's`() throws {
        let namespace = TestNamespace(addresses: ["10.204.6.1/32"])
        let plain = try Sleeper(in: namespace)
        for podUID in ["", uid] {
            #expect(find(finder, podUID, "10.204.6.1")?.path == namespace.path)
            #expect(find(nameless, podUID, "10.204.6.1")?.path == "/proc/\(plain.pid)/ns/net")
        }
    }
}
