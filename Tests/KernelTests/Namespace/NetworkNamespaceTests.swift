import Addressing
import Glibc
import Kernel
import NamespaceTestSupport
import TestSupport
import Testing

@Suite(.enabled(if: TestNamespace.isAvailable, "needs root and ip"))
struct NetworkNamespaceTests {
    private struct Planned: Error {}

    @Test func `a body runs inside the namespace and the thread is back after it`() throws {
        let other = TestNamespace()
        let home = try NetworkNamespace.current()
        let namespace = try NetworkNamespace.open(path: other.path)
        #expect(namespace.cookie != home.cookie)
        let inside = try namespace.perform { try NetworkNamespace.current().cookie }
        #expect(inside == namespace.cookie)
        #expect(try NetworkNamespace.current().cookie == home.cookie)
    }

    @Test func `the thread is back after a body that throws`() throws {
        let other = TestNamespace()
        let home = try NetworkNamespace.current().cookie
        let namespace = try NetworkNamespace.open(path: other.path)
        #expect(throws: Planned.self) { try namespace.perform { throw Planned() } }
        #expect(try NetworkNamespace.current().cookie == home)
    }

    @Test func `one namespace has one cookie however it is opened`() throws {
        let other = TestNamespace()
        let first = try NetworkNamespace.open(path: other.path)
        let second = try NetworkNamespace.open(path: other.path)
        #expect(first.cookie == second.cookie)
        #expect(first.inode == second.inode)
    }

    @Test func `a path that is no namespace is refused`() {
        #expect(throws: SystemError.self) { _ = try NetworkNamespace.open(path: "/run/netns/mnt-keeper-missing") }
        #expect(throws: SystemError("setns", EINVAL)) { _ = try NetworkNamespace.open(path: "/dev/null") }
    }

    @Test func `addresses of both families are told, loopback and link-local not`() throws {
        let other = TestNamespace(addresses: ["10.201.1.1/32", "fd00:201::1/128", "169.254.3.4/32"])
        let addresses = try NetworkNamespace.open(path: other.path).addresses()
        #expect(addresses == [ip("10.201.1.1"), ip("fd00:201::1")])
    }

    @Test func `a named namespace is a candidate once, the own one is none`() throws {
        let other = TestNamespace()
        let candidates = NamespaceCandidates.list()
        #expect(candidates.filter { $0.path == other.path }.count == 1)
        #expect(Set(candidates.map(\.inode)).count == candidates.count)
        #expect(!candidates.map(\.inode).contains(try NetworkNamespace.current().inode))
    }

    @Test func `a namespace without a name is found by its process`() throws {
        let other = TestNamespace()
        let inode = try NetworkNamespace.open(path: other.path).inode
        var specification = ChildSpecification(
            arguments: ["sh", "-c", "exec ip netns exec \(other.name) sleep 1000"],
            environment: ["PATH=/usr/sbin:/usr/bin:/bin"])
        specification.path = "/bin/sh"
        let child = try ChildProcess.start(specification)
        defer {
            child.signal(SIGKILL)
            _ = try? Commands.wait(for: child)
        }
        while Files.status("/proc/\(child.pid)/ns/net")?.inode != inode { sched_yield() }
        let found = NamespaceCandidates.list(directories: []).first { $0.inode == inode }
        #expect(found?.path == "/proc/\(child.pid)/ns/net")
    }

    @Test func `sockets are counted, each in its own namespace`() throws {
        let other = TestNamespace(addresses: ["10.201.3.1/32"])
        let namespace = try NetworkNamespace.open(path: other.path)
        try namespace.perform {
            #expect(NamespaceSockets.tcpCount() == 0)
            let listener = try TCPSocket.make(.v4)
            try listener.bind(to: socketAddress("10.201.3.1:7777"))
            try listener.listen(backlog: 4)
            #expect(NamespaceSockets.tcpCount() == 1)
            let client = try TCPSocket.make(.v4)
            try client.connect(to: socketAddress("10.201.3.1:7777"))
            #expect(NamespaceSockets.tcpCount() == 3)
        }
    }

    @Test func `connections are listed and aborted`() throws {
        let other = TestNamespace(addresses: ["10.201.2.1/32"])
        let namespace = try NetworkNamespace.open(path: other.path)
        let address = socketAddress("10.201.2.1:7777")
        try namespace.perform {
            let listener = try TCPSocket.make(.v4)
            try listener.bind(to: address)
            try listener.listen(backlog: 4)
            let client = try TCPSocket.make(.v4)
            try client.connect(to: address)
            let diagnosis = try SocketDiagnosis()
            #expect(try diagnosis.listeningPorts() == [7777])
            let found = try diagnosis.establishedConnections()
            #expect(found.count == 2)
            let own = try #require(found.first { $0.remote == address })
            #expect(own.local == client.localAddress())
            try diagnosis.destroy(own)
            #expect(client.connectError() == ECONNABORTED)
            #expect(try diagnosis.establishedConnections().isEmpty)
            // One that is gone is no error.
            try diagnosis.destroy(own)
        }
    }
}

@Suite(.enabled(if: (try? CgroupHierarchy.open()) != nil, "needs root and cgroup v2"))
struct CgroupTests {
    @Test func `a child cgroup is made, holds a process, and is deleted`() throws {
        let hierarchy = try CgroupHierarchy.open()
        let parent = try CgroupHierarchy.path()
        let name = "mnt-keeper-\(CurrentProcess.pid)"
        let cgroup = try hierarchy.makeChild(name, of: parent)
        #expect(try hierarchy.makeChild(name, of: parent) == cgroup)
        #expect(try hierarchy.childNames(of: parent).contains(name))
        #expect(cgroup.level == UInt32(parent.split(separator: "/").count) + 1)
        #expect(try hierarchy.cgroup(parent).id != cgroup.id)

        var specification = ChildSpecification(arguments: ["sleep", "1000"])
        specification.path = "/bin/sleep"
        let child = try ChildProcess.start(specification)
        try hierarchy.move(child.pid, into: cgroup.path)
        #expect(try CgroupHierarchy.path(of: child.pid) == cgroup.path)
        #expect(throws: SystemError.self) { try hierarchy.remove(cgroup.path) }
        child.signal(SIGKILL)
        #expect(try Commands.wait(for: child) == .killed(signal: SIGKILL))
        // The kernel takes a process that was reaped out of its cgroup a moment later.
        while (try? hierarchy.remove(cgroup.path)) == nil { sched_yield() }
        #expect(throws: SystemError.self) { try hierarchy.cgroup(cgroup.path) }
    }
}
