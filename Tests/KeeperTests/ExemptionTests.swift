import Addressing
import Glibc
import Mesh
import NamespaceTestSupport
import TestSupport
import Testing

@testable import Capture
@testable import Keeper
@testable import Kernel

extension KeeperTests {
    /// What the exemption rests on: a socket belongs to the cgroup that its maker was in when it made it.
    @Test func `sockets made in the agent's cgroup are exempt, those made before are captured`() throws {
        let pod = TestNamespace()
        let peer = TestNamespace()
        Wire.connect(pod, "10.201.30.1/24", peer, "10.201.30.2/24")
        let server = try peer.open().perform { try PodSockets.openListener(port: 8080, mark: nil) }
        let namespace = try pod.open()
        let before = try namespace.perform { try PodSockets.open(.v4, count: 1) }
        let cgroup = try AgentCgroup.enter()
        defer { try? cgroup.remove() }
        let after = try namespace.perform { try PodSockets.open(.v4, count: 1) }
        let captured = try CapturedPod(
            FoundNamespace(namespace: namespace, path: pod.path),
            wish: PodWish(uid: WorkloadUID("a"), namespace: "shop", name: "a", addresses: [ip("10.201.30.1")]),
            exemption: cgroup.exemption)
        defer { try? captured.delete() }

        let own = TCPSocket(after.take(at: 0)!)
        try own.connect(to: socketAddress("10.201.30.2:8080"))
        #expect(try isAccepted(by: server))
        #expect(own.connectError() == 0)

        let foreign = TCPSocket(before.take(at: 0)!)
        try foreign.connect(to: socketAddress("10.201.30.2:8080"))
        let outbound = Descriptor(owning: dup(captured.listeners.raw(at: 0)!))
        #expect(try isAccepted(by: outbound))
        #expect(foreign.connectError() == 0)
    }

    @Test(arguments: [PodWish.Options(), .abortsOldInbound])
    func `connections from before the capture are counted, and aborted where plaintext is forbidden`(
        options: PodWish.Options
    ) throws {
        let pod = TestNamespace()
        let peer = TestNamespace()
        Wire.connect(pod, "10.201.31.1/24", peer, "10.201.31.2/24")
        let server = try pod.open().perform { try PodSockets.openListener(port: 8080, mark: nil) }
        let client = try peer.open().perform { try TCPSocket.make(.v4) }
        try client.connect(to: socketAddress("10.201.31.1:8080"))
        var entry = pollfd(fd: server.raw, events: Int16(POLLIN), revents: 0)
        try #require(poll(&entry, 1, 5000) == 1)
        let accepted = Descriptor(owning: accept(server.raw, nil, nil))

        let wish = PodWish(
            uid: WorkloadUID("a"), namespace: "shop", name: "a", addresses: [ip("10.201.31.1")], options: options)
        let captured = try CapturedPod(
            FoundNamespace(namespace: pod.open(), path: pod.path), wish: wish, exemption: .mark)
        defer { try? captured.delete() }
        #expect(captured.uncapturedConnections == 1)
        if options.contains(.abortsOldInbound) {
            var closed = pollfd(fd: client.raw, events: 0, revents: 0)
            #expect(poll(&closed, 1, 5000) == 1)
            #expect(client.connectError() == ECONNRESET)
        } else {
            #expect(!captured.recountEarlier())
            try accepted.writeAll([1])
            shutdown(accepted.raw, Int32(SHUT_RDWR))
        }
        #expect(captured.recountEarlier())
        #expect(captured.uncapturedConnections == 0)
    }

    private func isAccepted(by listener: borrowing Descriptor) throws -> Bool {
        var entry = pollfd(fd: listener.raw, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, 5000) == 1 else { return false }
        let client = accept(listener.raw, nil, nil)
        defer { close(client) }
        return client >= 0
    }
}
