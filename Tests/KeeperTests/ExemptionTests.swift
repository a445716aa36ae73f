import Addressing
import Glibc
import Mesh
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
        Commands.shell(
            """
            ip -n \(pod.name) link add eth0 type veth peer name eth0 netns \(peer.name) \
            && ip -n \(pod.name) addr add 10.201.30.1/24 dev eth0 && ip -n \(peer.name) addr add 10.201.30.2/24 dev eth0 \
            && ip -n \(pod.name) link set eth0 up && ip -n \(peer.name) link set eth0 up
            """)
        let server = try peer.open().perform { try PodSockets.openListener(port: 8080, mark: nil) }
        let namespace = try pod.open()
        let before = try namespace.perform { try PodSockets.open(.v4, count: 1) }
        let cgroup = try AgentCgroup.enter()
        defer { cgroup.remove() }
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

    private func isAccepted(by listener: borrowing Descriptor) throws -> Bool {
        var entry = pollfd(fd: listener.raw, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, 5000) == 1 else { return false }
        let client = accept(listener.raw, nil, nil)
        defer { close(client) }
        return client >= 0
    }
}
