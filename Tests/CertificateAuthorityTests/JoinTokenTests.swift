import Foundation
import Synchronization
import Testing

@testable import CertificateAuthority

@Suite struct `A join token` {
    let workshop: Workshop
    let store: JoinTokenStore
    let root = String(repeating: "ab", count: 32)
    let key: [UInt8] = Array(repeating: 7, count: 32)
    let otherKey: [UInt8] = Array(repeating: 8, count: 32)

    init() throws {
        workshop = try Workshop()
        store = JoinTokenStore(directory: workshop.path)
    }

    private func make(_ node: String = "node-1", lifetime: Int64 = 600) throws -> String {
        try store.create(node: node, lifetimeInSeconds: lifetime, now: testNow, rootFingerprint: root)
    }

    @Test func `has the form that is documented, and says which root to expect`() throws {
        let text = try make()
        #expect(text.wholeMatch(of: /meshnode-join-1\.[0-9a-f]{16}\.[0-9a-f]{64}\.[0-9a-f]{64}/) != nil)
        let token = try JoinToken(parsing: "  \(text)\n")
        #expect(token.rootFingerprint == root && token.text == text)
        #expect(try make() != text)
    }

    @Test func `is kept closed to others, and without its secret`() throws {
        let token = try JoinToken(parsing: try make())
        #expect(try workshop.mode("tokens") == 0o700)
        #expect(try workshop.mode("tokens/\(token.id).json") == 0o600)
        for name in try FileManager.default.contentsOfDirectory(atPath: workshop.path + "/tokens") {
            #expect(try !workshop.text("tokens/\(name)").contains(token.secret))
        }
        try store.redeem(token: token.text, node: "node-1", publicKeyHash: key, now: testNow)
        #expect(try workshop.mode("tokens/\(token.id).used.json") == 0o600)
    }

    @Test func `lets one key in, as often as that asks, and no other`() throws {
        let token = try make()
        try store.redeem(token: token, node: "node-1", publicKeyHash: key, now: testNow)
        try store.redeem(token: token, node: "node-1", publicKeyHash: key, now: testNow + 600)
        let error = refusal { try store.redeem(token: token, node: "node-1", publicKeyHash: otherKey, now: testNow) }
        #expect(error?.code == .tokenUsed && error?.message.contains("meshnode token create") == true)
        #expect(try store.list().map(\.usedAt) == [testNow])
    }

    @Test func `lets exactly one of many keys in that try at once`() throws {
        for _ in 0..<20 {
            let token = try make()
            let admitted = Mutex(0)
            DispatchQueue.concurrentPerform(iterations: 8) { index in
                let key = [UInt8](repeating: UInt8(index), count: 32)
                let error = refusal { try store.redeem(token: token, node: "node-1", publicKeyHash: key, now: testNow) }
                if error == nil { admitted.withLock { $0 += 1 } }
            }
            #expect(admitted.withLock { $0 } == 1)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: workshop.path + "/tokens").count == 40)
    }

    @Test func `is for one node and for its time`() throws {
        let token = try make("node-1", lifetime: 60)
        let other = refusal { try store.redeem(token: token, node: "node-2", publicKeyHash: key, now: testNow) }
        #expect(other?.code == .tokenForOtherNode && other?.message.contains("'node-1', not for 'node-2'") == true)
        let late = refusal { try store.redeem(token: token, node: "node-1", publicKeyHash: key, now: testNow + 61) }
        #expect(late?.code == .tokenExpired && late?.message.contains("expired 1 s ago") == true)
        // Neither try used it up.
        try store.redeem(token: token, node: "node-1", publicKeyHash: key, now: testNow + 60)
    }

    @Test func `with a wrong secret tells nothing about the right one`() throws {
        let token = try JoinToken(parsing: try make("node-1", lifetime: 60))
        let guess = JoinToken(id: token.id, secret: String(repeating: "0", count: 64), rootFingerprint: root)
        let unknown = JoinToken(id: "0123456789abcdef", secret: token.secret, rootFingerprint: root)
        let texts = [guess, unknown].map { guess in
            refusal { try store.redeem(token: guess.text, node: "other", publicKeyHash: key, now: testNow + 999) }
        }
        #expect(texts[0]?.code == .tokenUnknown && texts[0] == texts[1])
    }

    @Test(arguments: [
        "", "meshnode-join-1", "meshnode-join-1...", "meshnode-join-2.0123456789abcdef.x.y", "../../etc/passwd",
        "meshnode-join-1.../../../../.\(String(repeating: "a", count: 64)).\(String(repeating: "a", count: 64))",
        "meshnode-join-1.0123456789ABCDEF.\(String(repeating: "a", count: 64)).\(String(repeating: "a", count: 64))",
        "meshnode-join-1.0123456789abcdef.\(String(repeating: "a", count: 63)).\(String(repeating: "a", count: 64))",
        String(repeating: "é", count: 5000),
    ])
    func `that is malformed is refused without repeating it`(text: String) throws {
        let error = refusal { try store.redeem(token: text, node: "node-1", publicKeyHash: key, now: testNow) }
        #expect(error?.code == .tokenUnknown && (text.count < 20 || error?.message.contains(text) == false))
    }

    @Test(arguments: [
        "", "Node", "node_1", "-a", "a-", "a..b", ".a", "a.", "a/b", "ö", String(repeating: "a", count: 64),
    ])
    func `is not made for what cannot be a node's name`(name: String) throws {
        #expect(refusal { try make(name) }?.code == .identityRefused)
    }

    @Test(arguments: [0, -1, 30 * 86400 + 1, Int64.max] as [Int64])
    func `has a lifetime within limits`(lifetime: Int64) throws {
        #expect(refusal { try make(lifetime: lifetime) }?.code == .tokenUnknown)
    }

    @Test func `is listed, deleted, and swept a day after it expired`() throws {
        let first = try JoinToken(parsing: try make("node-1", lifetime: 60))
        let second = try JoinToken(
            parsing: try store.create(node: "node-2", lifetimeInSeconds: 60, now: testNow + 1, rootFingerprint: root))
        #expect(try store.list().map(\.id) == [second.id, first.id])
        #expect(try store.list().map(\.node) == ["node-2", "node-1"])
        #expect(try store.delete(id: second.id))
        #expect(try !store.delete(id: second.id) && !store.delete(id: "../../etc"))
        #expect(
            refusal { try store.redeem(token: second.text, node: "node-2", publicKeyHash: key, now: testNow) }?.code
                == .tokenUnknown)
        store.sweep(now: testNow + 60 + 86400)
        #expect(try store.list().count == 1)
        store.sweep(now: testNow + 61 + 86400)
        #expect(try store.list().isEmpty)
        #expect(try JoinTokenStore(directory: workshop.path + "/none").list().isEmpty)
    }
}
