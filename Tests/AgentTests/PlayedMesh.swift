import Addressing
import CertificateAuthority
import Foundation
import Glibc
import Kernel
import Mesh
import Transport
import XDS

@testable import Agent

/// A mesh of two places for a test: a directory of manifests with its controller, and a node elsewhere.
final class PlayedMesh {
    let directory: TemporaryDirectory
    let port: UInt16
    private let listener: Int32
    private var controller: (loop: EventLoop, ended: DispatchSemaphore)?
    var nodeLifetime: Int64 = 0

    static let node = "node-a"

    init() throws {
        directory = try TemporaryDirectory()
        for name in ["manifests", "node"] {
            try FileManager.default.createDirectory(
                atPath: "\(directory.path)/\(name)", withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        }
        guard let any = SocketAddress("127.0.0.1:0") else { throw CancellationError() }
        let listener = try TCPSocket.listener(at: any, backlog: 16).release()
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) {
            _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &length) }
        }
        self.listener = listener
        port = address.sin_port.bigEndian
    }

    deinit {
        stopController()
        close(listener)
    }

    // MARK: The controller

    private var settings: ControllerSettings {
        ControllerSettings(
            source: .init(
                manifestDirectory: "\(directory.path)/manifests",
                authority: AuthorityLocation(directory: "\(directory.path)/ca"), listenAddress: "127.0.0.1:\(port)",
                nodeCertificateLifetimeSeconds: nodeLifetime),
            trustDomain: Samples.trustDomain.name, runDirectory: directory.path, logLevel: .error)
    }

    /// Starts it on a thread of its own; the port stays taken while it is down, as a keeper holds it.
    func startController() throws {
        let process = try ControllerProcess(settings, node: nil, log: ProcessLog("controller", .text, .error))
        try process.serveNetwork(Descriptor(owning: dup(listener)))
        let ended = DispatchSemaphore(value: 0)
        controller = (process.loop, ended)
        let confined = LoopConfined(process)
        Thread.detachNewThread {
            try? confined.value.run()
            ended.signal()
        }
    }

    func stopController() {
        controller?.loop.stop()
        controller?.ended.wait()
        controller = nil
    }

    var authority: AuthorityDirectory {
        AuthorityDirectory(path: "\(directory.path)/ca", trustDomain: Samples.trustDomain)
    }

    /// A token for the node, in a file.
    func makeToken() throws -> String {
        let path = "\(directory.path)/token"
        let now = Int64(Date().timeIntervalSince1970)
        let token = try JoinTokenStore(directory: "\(directory.path)/ca").create(
            node: Self.node, now: now, rootFingerprint: try authority.open(now: now).rootFingerprint())
        try Data(token.utf8).write(to: URL(filePath: path))
        return path
    }

    // MARK: The manifests

    func put(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(filePath: "\(directory.path)/manifests/\(name).yaml"), options: .atomic)
    }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: "\(directory.path)/manifests/\(name).yaml")
    }

    func putPod(_ name: String, _ address: String, uid: String = "") throws {
        let uid = uid.isEmpty ? "" : ", uid: \(uid)"
        try put(
            name,
            "{apiVersion: v1, kind: Pod, metadata: {name: \(name), namespace: shop\(uid)}, "
                + "spec: {nodeName: \(Self.node), serviceAccountName: web}, "
                + "status: {podIP: \(address), phase: Running}}\n")
    }

    func putNamespace() throws {
        try put(
            "namespace",
            "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {meshnode.dev/mesh: enabled}}}\n")
    }

    // MARK: The node

    func remote(token: String?) -> AgentConfiguration.RemoteController {
        .init(address: "127.0.0.1:\(port)", joinTokenFile: token, stateDirectory: "\(directory.path)/node")
    }
}

/// A subscriber on a thread of its own, with the keeper and the workers that a test plays.
final class PlayedSubscriber {
    let keeper: PlayedKeeper
    let path: String
    private let ended = DispatchSemaphore(value: 0)

    init(_ mesh: PlayedMesh, token: String?) throws {
        // One that ended may leave its sockets a little longer.
        let number = UInt32.random(in: 0...UInt32.max)
        path = "\(mesh.directory.path)/\(number).sock"
        let pair = try MessageSocket.makePair()
        keeper = PlayedKeeper(try pair.end(1))
        let near = try pair.end(0).release()
        let listener = try UnixSocket.listen(path, mode: 0o600).release()
        let admin = try UnixSocket.listen("\(mesh.directory.path)/\(number)-admin.sock", mode: 0o600).release()
        let remote = mesh.remote(token: token)
        let configuration = AgentConfiguration(
            controller: .remote(remote), node: PlayedMesh.node, trustDomain: Samples.trustDomain.name, logLevel: .error)
        let process = LoopConfined(
            try SubscriberProcess(configuration, remote, log: ProcessLog("subscriber", .text, .error)))
        let ended = ended
        Thread.detachNewThread {
            try? process.value.run(
                keeper: MessageSocket(Descriptor(owning: near)), listener: Descriptor(owning: listener),
                adminListener: Descriptor(owning: admin))
            ended.signal()
        }
    }

    /// The keeper goes, and the subscriber with it.
    func stop() {
        keeper.close()
        ended.wait()
    }
}
