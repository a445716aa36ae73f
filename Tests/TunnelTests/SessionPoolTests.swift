import Mesh
import TestSupport
import Testing
import Tunnel

/// The pool behind a reference, as expectations copy what they look at.
private final class PoolBox {
    private var pool = SessionPool()
    var sessionCount: Int { pool.sessionCount }
    func streamWanted(_ key: PoolKey, waiter: Int) -> SessionPool.Decision { pool.streamWanted(key, waiter: waiter) }
    func waiterLeft(_ key: PoolKey, waiter: Int) { pool.waiterLeft(key, waiter: waiter) }
    func dialed(_ id: SessionID, capacity: Int) -> [SessionPool.Action] { pool.dialed(id, capacity: capacity) }
    func dialedUnsettled(_ id: SessionID, capacity: Int) -> [SessionPool.Action] {
        pool.dialed(id, capacity: capacity, isSettled: false)
    }
    func dialFailed(_ id: SessionID, _ reason: Reason) -> [SessionPool.Action] { pool.dialFailed(id, reason) }
    func capacityChanged(_ id: SessionID, to capacity: Int) -> [SessionPool.Action] {
        pool.capacityChanged(id, to: capacity)
    }
    func streamClosed(_ id: SessionID) -> [SessionPool.Action] { pool.streamClosed(id) }
    func goAwayReceived(_ id: SessionID) { pool.goAwayReceived(id) }
    func sessionClosed(_ id: SessionID, _ reason: Reason) -> [SessionPool.Action] { pool.sessionClosed(id, reason) }
}

@Suite struct `A session pool` {
    private func identity(_ account: String) -> SPIFFEID {
        SPIFFEID(trustDomain: domain, namespace: "shop", serviceAccount: account)
    }

    private let domain: TrustDomain

    init() throws {
        domain = try #require(TrustDomain("mesh.test"))
    }

    private func key(
        source: String = "web", accepted: [String] = ["api"], from: String = "10.0.0.1", to: String = "10.0.0.2:15008"
    ) -> PoolKey {
        PoolKey(
            source: identity(source), accepted: Set(accepted.map(identity)), sourceIP: ip(from),
            destination: TunnelAddress(socketAddress(to)))
    }

    private func dial(_ decision: SessionPool.Decision) throws -> SessionID {
        guard case .dial(let session) = decision else { throw Unexpected() }
        return session
    }

    private struct Unexpected: Error {}

    @Test func `dials once for all who come meanwhile, and serves them in order`() throws {
        let pool = PoolBox()
        let session = try dial(pool.streamWanted(key(), waiter: 1))
        #expect(pool.streamWanted(key(), waiter: 2) == .wait)
        #expect(pool.streamWanted(key(), waiter: 3) == .wait)
        #expect(
            pool.dialed(session, capacity: 100)
                == [.open(waiter: 1, on: session), .open(waiter: 2, on: session), .open(waiter: 3, on: session)])
        #expect(pool.streamWanted(key(), waiter: 4) == .use(session))
    }

    @Test func `gives a session a few streams until its peer has said how many it takes`() throws {
        let pool = PoolBox()
        let session = try dial(pool.streamWanted(key(), waiter: 1))
        for waiter in 2...4 { #expect(pool.streamWanted(key(), waiter: waiter) == .wait) }
        // No other one is dialled for those who wait: this one may take them.
        let first = pool.dialedUnsettled(session, capacity: 2)
        #expect(first == [.open(waiter: 1, on: session), .open(waiter: 2, on: session)])
        #expect(pool.streamWanted(key(), waiter: 5) == .wait)
        #expect(
            pool.capacityChanged(session, to: 4).prefix(2)
                == [.open(waiter: 3, on: session), .open(waiter: 4, on: session)])
        let next = try dial(pool.streamWanted(key(from: "10.0.0.7"), waiter: 6))
        #expect(pool.dialed(next, capacity: 1) == [.open(waiter: 6, on: next)])
    }

    @Test func `dials another if a session ends before its peer has said how many it takes`() throws {
        let pool = PoolBox()
        let session = try dial(pool.streamWanted(key(), waiter: 1))
        #expect(pool.streamWanted(key(), waiter: 2) == .wait)
        #expect(pool.dialedUnsettled(session, capacity: 1) == [.open(waiter: 1, on: session)])
        let actions = pool.sessionClosed(session, .peerReset)
        guard case .dial(key(), let next) = actions.first, actions.count == 1 else { throw Unexpected() }
        #expect(pool.dialed(next, capacity: 5) == [.open(waiter: 2, on: next)])
    }

    @Test func `never shares a session between different keys`() throws {
        let pool = PoolBox()
        let base = key()
        let session = try dial(pool.streamWanted(base, waiter: 1))
        _ = pool.dialed(session, capacity: 100)
        let others = [
            key(source: "admin"), key(accepted: ["api", "web"]), key(accepted: ["db"]), key(from: "10.0.0.9"),
            key(to: "10.0.0.3:15008"),
        ]
        for (index, other) in others.enumerated() {
            let another = try dial(pool.streamWanted(other, waiter: 10 + index))
            #expect(another != session)
            #expect(pool.dialed(another, capacity: 100) == [.open(waiter: 10 + index, on: another)])
        }
        #expect(pool.streamWanted(base, waiter: 50) == .use(session))
        #expect(pool.sessionCount == 6)
    }

    @Test func `dials another when one is full, one at a time`() throws {
        let pool = PoolBox()
        let first = try dial(pool.streamWanted(key(), waiter: 1))
        for waiter in 2...5 { #expect(pool.streamWanted(key(), waiter: waiter) == .wait) }
        let actions = pool.dialed(first, capacity: 2)
        guard actions.count == 3, case .dial(_, let second) = actions[2] else { throw Unexpected() }
        #expect(actions[0] == .open(waiter: 1, on: first) && actions[1] == .open(waiter: 2, on: first))
        #expect(pool.streamWanted(key(), waiter: 6) == .wait)
        #expect(pool.streamClosed(first) == [.open(waiter: 3, on: first)])
        #expect(pool.dialed(second, capacity: 100).count == 3)
    }

    @Test func `fails all who wait with the dial's reason, and dials anew for the next`() throws {
        let pool = PoolBox()
        let session = try dial(pool.streamWanted(key(), waiter: 1))
        _ = pool.streamWanted(key(), waiter: 2)
        #expect(
            pool.dialFailed(session, .upstreamTimeout)
                == [.fail(waiter: 1, .upstreamTimeout), .fail(waiter: 2, .upstreamTimeout)])
        #expect(pool.sessionCount == 0)
        #expect(try dial(pool.streamWanted(key(), waiter: 3)) != session)
    }

    @Test func `a session that closes while it is dialled has failed`() throws {
        let pool = PoolBox()
        let session = try dial(pool.streamWanted(key(), waiter: 1))
        #expect(pool.sessionClosed(session, .sanMismatch) == [.fail(waiter: 1, .sanMismatch)])
        #expect(pool.dialed(session, capacity: 1) == [])
        #expect(pool.dialFailed(session, .internal) == [])
    }

    @Test func `uses no session that drains, and keeps counting its streams`() throws {
        let pool = PoolBox()
        let session = try dial(pool.streamWanted(key(), waiter: 1))
        _ = pool.dialed(session, capacity: 100)
        pool.goAwayReceived(session)
        let next = try dial(pool.streamWanted(key(), waiter: 2))
        #expect(pool.streamClosed(session) == [])
        #expect(pool.dialed(next, capacity: 10) == [.open(waiter: 2, on: next)])
        #expect(pool.sessionClosed(session, .drain) == [])
        #expect(pool.sessionCount == 1)
    }

    @Test func `learns the peer's limit from its settings`() throws {
        let pool = PoolBox()
        let session = try dial(pool.streamWanted(key(), waiter: 1))
        _ = pool.dialed(session, capacity: 1)
        let second = try dial(pool.streamWanted(key(), waiter: 2))
        #expect(pool.capacityChanged(session, to: 5) == [.open(waiter: 2, on: session)])
        #expect(pool.dialed(second, capacity: 5) == [])
    }

    @Test func `forgets one that gave up waiting`() throws {
        let pool = PoolBox()
        let session = try dial(pool.streamWanted(key(), waiter: 1))
        _ = pool.streamWanted(key(), waiter: 2)
        pool.waiterLeft(key(), waiter: 1)
        #expect(pool.dialed(session, capacity: 100) == [.open(waiter: 2, on: session)])
    }
}
