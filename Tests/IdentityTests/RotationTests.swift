import Identity
import Mesh
import TestSupport
import Testing

@Suite struct `A rotation schedule` {
    @Test func `asks at once, and once`() {
        var schedule = RotationSchedule(at: 1000)
        #expect(schedule.nextEvent == 1000)
        #expect(schedule.timeReached(1000) == .request)
        #expect(schedule.timeReached(1000) == .nothing)
        #expect(schedule.nextEvent == nil)
    }

    @Test(arguments: [(0.0, 45), (0.5, 50), (0.999_999, 54)])
    func `renews around half of the lifetime`(jitter: Double, percent: Int64) {
        var schedule = RotationSchedule(at: 0)
        #expect(schedule.timeReached(0) == .request)
        #expect(schedule.issued(notBefore: 0, notAfter: 100_000, at: 10, jitter: jitter) == .accepted)
        let renewal = schedule.nextRequest ?? -1
        #expect(renewal / 1000 == percent)
        #expect(schedule.timeReached(renewal - 1) == .nothing)
        #expect(schedule.timeReached(renewal) == .request)
    }

    @Test func `backs off to 30 seconds and keeps the old until it expires, saying so once`() {
        var schedule = RotationSchedule(at: 0)
        #expect(schedule.timeReached(0) == .request)
        #expect(schedule.issued(notBefore: 0, notAfter: 1000, at: 0, jitter: 0.5) == .accepted)
        var now: Int64 = 500
        var waits: [Int64] = []
        while now <= 1000 {
            #expect(schedule.timeReached(now) == .request)
            schedule.failed(at: now, jitter: 0)
            let next = schedule.nextEvent ?? now
            waits.append(next - now)
            now = next
        }
        #expect(waits.prefix(6) == [1, 2, 4, 8, 16, 30])
        #expect(waits.dropFirst(5).dropLast().allSatisfy { $0 == 30 })
        #expect(now == 1001)
        #expect(schedule.timeReached(now) == .expired)
        let then = schedule.nextEvent ?? 0
        #expect(schedule.timeReached(then) == .request)
        #expect(schedule.timeReached(then) == .nothing)
    }

    @Test func `backs off to a tenth of a short lifetime`() {
        var schedule = RotationSchedule(at: 0)
        #expect(schedule.timeReached(0) == .request)
        #expect(schedule.issued(notBefore: 0, notAfter: 50, at: 0, jitter: 0.5) == .accepted)
        var now = schedule.nextRequest ?? 0
        for _ in 0..<4 {
            #expect(schedule.timeReached(now) == .request)
            schedule.failed(at: now, jitter: 0)
            #expect((schedule.nextRequest ?? .max) - now <= 5)
            now = schedule.nextRequest ?? 0
        }
    }

    @Test func `takes up to half off the back-off by jitter, and never all`() {
        for jitter in [0, 0.3, 0.999_999, -1, 7, .nan] {
            var schedule = RotationSchedule(at: 0)
            var now: Int64 = 0
            for _ in 0..<40 {
                #expect(schedule.timeReached(now) == .request)
                schedule.failed(at: now, jitter: jitter)
                let wait = (schedule.nextRequest ?? 0) - now
                #expect((1...30).contains(wait))
                now += wait
            }
        }
    }

    @Test func `treats a certificate that has expired already as a failure`() {
        var schedule = RotationSchedule(at: 5000)
        #expect(schedule.timeReached(5000) == .request)
        #expect(schedule.issued(notBefore: 0, notAfter: 4999, at: 5000, jitter: 0) == .refusedAsExpired)
        #expect(schedule.nextRequest == 5001)
    }

    @Test func `does not ask in a loop for a certificate that is past its half`() {
        var schedule = RotationSchedule(at: 900)
        #expect(schedule.timeReached(900) == .request)
        #expect(schedule.issued(notBefore: 0, notAfter: 1000, at: 900, jitter: 0) == .accepted)
        #expect(schedule.nextRequest == 950)
    }

    @Test func `ignores answers that nobody waits for`() {
        var schedule = RotationSchedule(at: 0)
        #expect(schedule.issued(notBefore: 0, notAfter: 10, at: 0, jitter: 0) == .ignored)
        schedule.failed(at: 0, jitter: 0)
        #expect(schedule.nextRequest == 0)
    }

    @Test func `stands any times`() {
        let extremes: [Int64] = [.min, -1, 0, 1, .max]
        for notBefore in extremes {
            for notAfter in extremes {
                for now in extremes {
                    var schedule = RotationSchedule(at: now)
                    #expect(schedule.timeReached(now) == .request)
                    _ = schedule.issued(notBefore: notBefore, notAfter: notAfter, at: now, jitter: 0.9)
                    _ = schedule.timeReached(.max)
                    schedule.failed(at: .max, jitter: 0)
                    let held = RotationSchedule(holding: notBefore, until: notAfter, at: now, jitter: 0.9)
                    #expect(held.nextEvent != nil)
                }
            }
        }
    }
}

@Suite struct `A certificate store` {
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
        store.want([Fixtures.identity("web"), Fixtures.identity("db")], at: 0)
        #expect(text(store.takeActions()) == ["request db", "request web"])
        store.want([Fixtures.identity("web"), Fixtures.identity("api")], at: 1)
        #expect(text(store.takeActions()) == ["forget db", "request api"])
        store.want([Fixtures.identity("web"), Fixtures.identity("api")], at: 2)
        #expect(store.takeActions().isEmpty)
        let late = try Fixtures.svid("db")
        store.issued(late, at: late.notBefore, jitter: 0)
        #expect(store.takeActions().isEmpty)
        #expect(store.svid(of: late.identity) == nil)
    }

    @Test func `publishes, renews, keeps the old through failures and drops it at its end`() throws {
        var store = CertificateStore()
        let first = try Fixtures.svid(version: 1)
        let begin = first.notBefore
        store.want([Fixtures.web], at: begin)
        #expect(text(store.takeActions()) == ["request web"])
        #expect(store.statuses(at: begin).map(\.state) == [.unavailable])

        store.issued(first, at: begin, jitter: 0.5)
        #expect(text(store.takeActions()) == ["publish web 1"])
        let valid = try #require(store.statuses(at: begin).first)
        #expect(valid.state == .valid)
        #expect(valid.serial == first.serial)
        #expect(valid.notAfter == first.notAfter)
        #expect(valid.nextRequest == begin + 43_200)
        #expect(store.nextEvent == begin + 43_200)

        store.advance(to: begin + 43_200)
        #expect(text(store.takeActions()) == ["request web"])
        store.failed(Fixtures.web, message: "the CA is away", at: begin + 43_200, jitter: 0)
        let failing = try #require(store.statuses(at: begin + 43_201).first)
        #expect(failing.state == .renewing)
        #expect(failing.lastError == "the CA is away")
        #expect(store.svid(of: Fixtures.web)?.version == 1)

        store.advance(to: first.notAfter + 1)
        #expect(text(store.takeActions()) == ["expired web", "request web"])
        #expect(store.svid(of: Fixtures.web) == nil)
        #expect(store.statuses(at: first.notAfter + 1).map(\.state) == [.unavailable])

        let second = try Fixtures.svid(version: 2, days: 10)
        store.issued(second, at: first.notAfter + 2, jitter: 0.5)
        #expect(text(store.takeActions()) == ["publish web 2"])
        #expect(store.statuses(at: first.notAfter + 2).first?.lastError == nil)
    }

    @Test func `serves at once what a predecessor left`() throws {
        var store = CertificateStore()
        let left = try Fixtures.svid(version: 7)
        store.restore(left, at: left.notBefore + 10, jitter: 0.5)
        store.want([Fixtures.web], at: left.notBefore + 10)
        #expect(text(store.takeActions()) == ["publish web 7"])
        #expect(store.svids.map(\.version) == [7])
        store.advance(to: left.notBefore + 43_200)
        #expect(text(store.takeActions()) == ["request web"])

        var late = CertificateStore()
        late.restore(left, at: left.notAfter + 1, jitter: 0)
        #expect(late.takeActions().isEmpty)
        #expect(late.svids.isEmpty)
    }
}
