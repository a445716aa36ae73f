import Glibc
import Testing
import XDS

@testable import ControlPlane

@Suite(.timeLimit(.minutes(5))) struct `Dialling the controller` {
    let authority: TestAuthority
    let subscriber = TestSubscriber()

    init() throws { authority = try TestAuthority() }

    @Test func `says that nobody listens`() async throws {
        let port = try await withServer(TestController(authority)) { _, endpoint in endpoint.port }
        let endpoint = try ControllerEndpoint("127.0.0.1:\(port)")
        try await withClient(endpoint, try authority.node("n1"), subscriber) { _ in
            let error = try await subscriber.lost()
            #expect(error.code == .connectionRefused && error.message.contains("nobody listens on 127.0.0.1:"))
        }
    }

    @Test func `says that a name is not known`() async throws {
        let endpoint = try ControllerEndpoint("no-such-controller.invalid:15012")
        try await withClient(endpoint, try authority.node("n1"), subscriber) { _ in
            let code = try await subscriber.lost().code
            #expect(code == .unreachable || code == .disconnected)
        }
    }

    @Test func `does not trust the controller of another mesh`() async throws {
        try await withServer(TestController(try TestAuthority())) { _, endpoint in
            try await withClient(endpoint, try authority.node("n1"), subscriber) { _ in
                let error = try await subscriber.lost()
                #expect(error.code == .untrustedPeer && error.message.contains("does not lead to a root"))
            }
        }
    }

    @Test func `does not take a workload for the controller`() async throws {
        let key = NodeKey()
        let issued = try authority.issuer.sign(
            requestPEM: key.signingRequestPEM(),
            identity: .init(trustDomain: authority.trustDomain, namespace: "a", serviceAccount: "b"), now: authority.now
        )
        let identity = ControlPlaneIdentity(
            chainPEM: Array(issued.chainPEM.dropLast()), keyPEM: key.pem, trustBundlePEM: try authority.bundlePEM)
        try await withServer(TestController(authority), identity: identity) { _, endpoint in
            try await withClient(endpoint, try authority.node("n1"), subscriber) { _ in
                let code = try await subscriber.lost().code
                #expect(code == .wrongPeer)
            }
        }
    }

    @Test func `says what to do when the node's certificate has expired`() async throws {
        let old = try TestAuthority(age: 86400)
        let credential = try old.node("n1", lifetime: 60, trusting: authority)
        try await withServer(TestController(authority)) { _, endpoint in
            try await withClient(endpoint, credential, subscriber) { _ in
                let error = try await subscriber.lost()
                #expect(error.code == .certificateExpired && error.message.contains("join again"))
            }
        }
    }

    @Test func `works on a socket that was handed over`() async throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(bound == 0 && listen(descriptor, 16) == 0)
        let controller = TestController(authority, mesh: [workload(1)])
        try await withServer(controller, listener: .descriptor(descriptor)) { _, endpoint in
            try await withClient(endpoint, try authority.node("n1"), subscriber) { _ in
                try await subscriber.hasMesh([workload(1)])
            }
        }
    }

    @Test func `waits longer after each failure, never more than ten seconds, and little after a good connection`() {
        var backoff = ReconnectBackoff()
        var waits: [Duration] = []
        for _ in 0..<10 { waits.append(backoff.ended(lasted: .zero, draw: 0.5)) }
        #expect(waits.prefix(4) == [.milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800)])
        #expect(waits.last == .seconds(10))
        #expect(backoff.ended(lasted: .zero, draw: 1) == .seconds(10))
        #expect(backoff.ended(lasted: .zero, draw: 0) == .seconds(8))
        #expect(backoff.ended(lasted: .seconds(1), draw: 0.5) == .seconds(10))
        #expect(backoff.ended(lasted: .seconds(5), draw: 0.5) == .milliseconds(100))
    }

    @Test(arguments: [
        ("10.0.0.1:15012", "10.0.0.1", "10.0.0.1:15012"), ("controller.mesh:1", "controller.mesh", "controller.mesh:1"),
        ("[fd00::1]:65535", "fd00::1", "[fd00::1]:65535"),
    ])
    func `reads endpoints`(text: String, host: String, description: String) throws {
        let endpoint = try ControllerEndpoint(text)
        #expect(endpoint.host == host && endpoint.description == description)
    }

    @Test(arguments: [
        "", ":1", "host", "host:", "host:0", "host:65536", "a/b:1", "fd00::1", "[x]:1:2", "[]:1", "h:1:2",
    ])
    func `refuses what is no endpoint`(text: String) {
        #expect(throws: ControlPlaneError.self) { try ControllerEndpoint(text) }
    }
}

@Suite struct `What waits for a stream` {
    private func verdict(_ id: UInt64) -> ChannelMessage {
        .podVerdict(PodVerdict(id: id, outcome: .leave(reason: "")))
    }

    private func append(_ message: ChannelMessage, to queue: OutgoingQueue) throws {
        queue.append(try StreamKind.session.encoded(message, limit: 1 << 20), for: message)
    }

    @Test func `is only the last of what replaces each other, and all of the rest, in order`() async throws {
        let queue = OutgoingQueue(StreamLimits())
        let reports = (0..<100).map { ChannelMessage.controllerReport(ControllerReport(snapshotVersion: "\($0)")) }
        try append(verdict(1), to: queue)
        for report in reports { try append(report, to: queue) }
        try append(verdict(2), to: queue)
        var written: [EncodedMessage] = []
        let cause = try await queue.drain { message in
            written.append(message)
            if written.count == 3 { queue.close("enough") }
        }
        #expect(cause == "enough")
        #expect(
            written
                == (try [verdict(1), reports[99], verdict(2)].map { try StreamKind.session.encoded($0, limit: 1 << 20) })
        )
    }

    @Test func `is bounded in messages and bytes`() throws {
        let few = OutgoingQueue(StreamLimits(messages: 3))
        for id in 0..<3 { try append(verdict(UInt64(id)), to: few) }
        #expect(few.closeCause == nil)
        try append(verdict(4), to: few)
        #expect(few.closeCause?.contains("does not read") == true)
        let small = OutgoingQueue(StreamLimits(bytes: 1000))
        try append(
            .podVerdict(PodVerdict(id: 1, outcome: .leave(reason: String(repeating: "x", count: 2000)))), to: small)
        #expect(small.closeCause?.contains("does not read") == true)
    }
}
