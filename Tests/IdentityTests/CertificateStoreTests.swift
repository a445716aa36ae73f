import Identity
import Mesh
import Testing

@Suite struct `A certificate store` {
    private let even = { 0.5 }

    private func text(_ actions: [CertificateAction]) -> [String] {
        actions.map { action in
            switch action {
            case .request(let identity): "request \(identity.serviceAccount)"
            case .publish(let svid): "publish \(svid.identity.serviceAccount) \(svid.version)"
            case .expired(let identity): "expired \(identity.serviceAccount)"
            case .forget(let identity): "forget \(identity.serviceAccount)"
            }
        }.sorted()
    }

    @Test func `asks for what is wanted and forgets what is not`() throws {
        var store = CertificateStore()
        store.want([Fixtures.identity("web"), Fixtures.identity("db")], at: at(0), jitter: even)
        #expect(text(store.takeActions()) == ["request db", "request web"])
        store.want([Fixtures.identity("web"), Fixtures.identity("api")], at: at(1), jitter: even)
        #expect(text(store.takeActions()) == ["forget db", "request api"])
        store.want([Fixtures.identity("web"), Fixtures.identity("api")], at: at(2), jitter: even)
        #expect(store.takeActions().isEmpty)
        let late = try Fixtures.svid("db")
        store.issued(late, at: at(late.notBefore), jitter: even)
        #expect(store.takeActions().isEmpty)
        #expect(store.svid(of: late.identity) == nil)
    }

    @Test func `publishes, renews, keeps the old through failures and drops it at its end`() throws {
        var store = CertificateStore()
        let first = try Fixtures.svid(version: 1)
        let begin = first.notBefore
        store.want([Fixtures.web], at: at(begin), jitter: even)
        #expect(text(store.takeActions()) == ["request web"])
        #expect(store.statuses(at: at(begin)).map(\.state) == [.unavailable])
        #expect(store.absence(of: Fixtures.web)?.reason == .certificateUnavailable)

        store.issued(first, at: at(begin), jitter: even)
        #expect(text(store.takeActions()) == ["publish web 1"])
        let valid = try #require(store.statuses(at: at(begin)).first)
        #expect(valid.state == .valid && valid.serial == first.serial && valid.notAfter == first.notAfter)
        #expect(valid.nextRequest == begin + 43_200)
        #expect(store.absence(of: Fixtures.web) == nil && store.clockProblem == nil)

        store.advance(to: at(begin + 43_200), jitter: even)
        #expect(text(store.takeActions()) == ["request web"])
        store.failed(Fixtures.web, message: "the CA is away", at: at(begin + 43_200), jitter: even)
        let failing = try #require(store.statuses(at: at(begin + 43_200)).first)
        #expect(failing.state == .renewing && failing.lastError == "the CA is away")
        #expect(store.svid(of: Fixtures.web)?.version == 1)

        store.advance(to: at(first.notAfter + 1), jitter: even)
        #expect(text(store.takeActions()) == ["expired web", "request web"])
        #expect(store.svid(of: Fixtures.web) == nil && store.svids.isEmpty)
        #expect(store.statuses(at: at(first.notAfter + 1)).map(\.state) == [.unavailable])

        let second = try Fixtures.svid(version: 2, days: 10)
        store.issued(second, at: at(first.notAfter + 2), jitter: even)
        #expect(text(store.takeActions()) == ["publish web 2"])
        #expect(store.statuses(at: at(first.notAfter + 2)).first?.lastError == nil)
    }

    @Test func `says of an expired certificate whose it is, since when, and why there is no other`() throws {
        var store = CertificateStore()
        let svid = try Fixtures.svid()
        store.restore(svid, at: at(svid.notBefore), jitter: even)
        store.advance(to: at(svid.notAfter + 40), jitter: even)
        _ = store.takeActions()
        store.failed(Fixtures.web, message: "the CA is away", at: at(svid.notAfter + 41), jitter: even)
        // Told again, since there is a reason now.
        #expect(text(store.takeActions()) == ["expired web"])
        let found = store.absence(of: Fixtures.web)
        let absence = try #require(found)
        #expect(absence.reason == .certificateExpired)
        #expect(
            absence.text(at: svid.notAfter + 42)
                == "the certificate of spiffe://mesh/ns/shop/sa/web expired 42 s ago and could not be renewed: the CA is away"
        )
    }

    @Test func `serves at once what a predecessor left`() throws {
        var store = CertificateStore()
        let left = try Fixtures.svid(version: 7)
        store.restore(left, at: at(left.notBefore + 10), jitter: even)
        store.want([Fixtures.web], at: at(left.notBefore + 10), jitter: even)
        #expect(text(store.takeActions()) == ["publish web 7"])
        #expect(store.svids.map(\.version) == [7])
        store.advance(to: at(left.notBefore + 43_400), jitter: even)
        #expect(text(store.takeActions()) == ["request web"])

        var late = CertificateStore()
        late.restore(left, at: at(left.notAfter + 1), jitter: even)
        #expect(late.takeActions().isEmpty && late.svids.isEmpty)
    }

    @Test func `asks for sixteen at a time, and for the next as answers come`() {
        var store = CertificateStore()
        let names = (0..<100).map { "a\($0)" }
        store.want(Set(names.map { Fixtures.identity($0) }), at: at(0), jitter: even)
        var asked = Set<String>()
        var waiting = text(store.takeActions())
        #expect(waiting.count == 16)
        var answers = 0
        while let next = waiting.popLast() {
            #expect(asked.insert(next).inserted)
            store.failed(
                Fixtures.identity(String(next.dropFirst("request ".count))), message: "no", at: at(0), jitter: even)
            answers += 1
            waiting += text(store.takeActions())
            #expect(waiting.count == min(16, 100 - answers))
        }
        #expect(asked.count == 100)
    }

    @Test func `asks first for those that have nothing, then for those that end first`() throws {
        var store = CertificateStore(requestLimit: 1)
        let (long, short) = (try Fixtures.svid("long", days: 20), try Fixtures.svid("short", days: 2))
        let begin = max(long.notBefore, short.notBefore)
        store.restore(long, at: at(begin), jitter: even)
        store.restore(short, at: at(begin), jitter: even)
        _ = store.takeActions()
        // All three are due.
        let late = at(begin + 11 * 86_400)
        var order: [String] = []
        store.want([long.identity, short.identity, Fixtures.identity("new")], at: late, jitter: even)
        for _ in 0..<3 {
            let requests = text(store.takeActions()).filter { $0.hasPrefix("request") }
            order += requests
            guard let name = requests.first?.dropFirst("request ".count) else { break }
            store.failed(Fixtures.identity(String(name)), message: "no", at: late, jitter: even)
        }
        #expect(order.count == 3 && order.last == "request long")
    }

    @Test func `asks again for what was taken back, within seconds`() throws {
        var store = CertificateStore()
        let svid = try Fixtures.svid()
        store.restore(svid, at: at(svid.notBefore), jitter: even)
        _ = store.takeActions()
        let now = svid.notBefore + 60
        store.revoked(["1234"], at: at(now), jitter: even)
        store.advance(to: at(now + 10), jitter: even)
        #expect(store.takeActions().isEmpty)
        store.revoked([svid.canonicalSerial], at: at(now), jitter: even)
        #expect(store.statuses(at: at(now)).first?.lastError?.contains("taken back") == true)
        store.advance(to: at(now + 5), jitter: even)
        #expect(text(store.takeActions()) == ["request web"])
    }

    @Test func `retries a request whose answer is lost`() {
        var store = CertificateStore()
        store.want([Fixtures.web], at: at(0), jitter: even)
        _ = store.takeActions()
        store.advance(to: at(9), jitter: even)
        #expect(store.takeActions().isEmpty)
        store.advance(to: at(10), jitter: even)
        #expect(store.statuses(at: at(10)).first?.lastError == "the CA does not answer")
        store.advance(to: at(11), jitter: even)
        #expect(text(store.takeActions()) == ["request web"])
    }

    @Test(arguments: [(25, "ahead of"), (-25, "behind")] as [(Int64, String)])
    func `says about how much the clock is off when fresh certificates are not valid`(
        hours: Int64, side: String
    ) throws {
        var store = CertificateStore()
        let svid = try Fixtures.svid()
        let now = at(svid.notBefore + 300, off: hours * 3600)
        store.want([Fixtures.web], at: now, jitter: even)
        _ = store.takeActions()
        store.issued(svid, at: now, jitter: even)
        let found = store.clockProblem
        let problem = try #require(found)
        #expect(problem.contains("off by about 25 h") && problem.contains(side))
        #expect(store.statuses(at: now).first?.lastError == problem)
        // Set right, the next one is valid and says so.
        let right = at(svid.notBefore + 400)
        for second: Int64 in 0..<40 { store.advance(to: at(svid.notBefore + 400 + second), jitter: even) }
        store.issued(try Fixtures.svid(version: 2, days: 2), at: right, jitter: even)
        #expect(store.clockProblem == nil && store.statuses(at: right).first?.lastError == nil)
        #expect(store.svid(of: Fixtures.web)?.version == 2)
    }

    @Test(arguments: [-300, 0, 300] as [Int64]) func `says nothing of a clock that is five minutes off`(off: Int64)
        throws
    {
        var store = CertificateStore()
        let svid = try Fixtures.svid()
        store.want([Fixtures.web], at: at(svid.notBefore, off: off), jitter: even)
        store.issued(svid, at: at(svid.notBefore, off: off), jitter: even)
        #expect(store.clockProblem == nil && store.svid(of: Fixtures.web) != nil)
    }
}
