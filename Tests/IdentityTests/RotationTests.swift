import Identity
import Mesh
import Testing

/// Both clocks at `seconds`; the time of day may be `off` by some.
func at(_ seconds: Int64, off: Int64 = 0) -> ClockReading {
    ClockReading(secondsSince1970: seconds &+ off, monotonic: .seconds(seconds))
}

extension RotationSchedule {
    /// When the next request is due, in seconds.
    fileprivate func next(_ now: ClockReading) -> Double? {
        wait(at: now).map { (now.monotonic + $0) / .seconds(1) }
    }
}

@Suite struct `A rotation schedule` {
    /// A schedule that holds a certificate of this lifetime, which came at 0.
    private func holding(_ lifetime: Int64, jitter: Double = 0.5) -> RotationSchedule {
        var schedule = RotationSchedule(at: at(0))
        schedule.asked(at: at(0))
        #expect(schedule.issued(notBefore: -300, notAfter: lifetime, at: at(0), jitter: jitter) == .accepted)
        return schedule
    }

    @Test func `asks at once, and once`() {
        var schedule = RotationSchedule(at: at(1000))
        #expect(schedule.isDue(at: at(1000)) && !schedule.isRequesting)
        schedule.asked(at: at(1000))
        #expect(!schedule.isDue(at: at(1000)) && schedule.isRequesting && schedule.wait(at: at(1000)) == nil)
    }

    @Test(arguments: [(0.0, 45.0), (0.5, 50.0), (0.999_999, 55.0)])
    func `renews around half of the lifetime that is left when it comes`(jitter: Double, percent: Double) {
        for lifetime: Int64 in [6, 60, 100_000] {
            let schedule = holding(lifetime, jitter: jitter)
            let renewal = schedule.next(at(0)) ?? -1
            #expect(abs(renewal - Double(lifetime) * percent / 100) < 0.02)
        }
    }

    @Test func `backs off to 30 seconds and keeps the old until it expires, saying so once`() {
        var schedule = holding(1000)
        var now: Int64 = 500
        var waits: [Int64] = []
        while now <= 1000 {
            #expect(schedule.timeReached(at(now), jitter: 0) == .nothing)
            #expect(schedule.isDue(at: at(now)) == true)
            schedule.asked(at: at(now))
            schedule.failed(at: at(now), jitter: 0)
            let next = Int64(schedule.next(at(now)) ?? 0)
            waits.append(next - now)
            now = next
        }
        #expect(waits.prefix(6) == [1, 2, 4, 8, 16, 30])
        #expect(waits.dropFirst(5).allSatisfy { $0 == 30 })
        #expect(schedule.timeReached(at(now), jitter: 0) == .expired)
        #expect(schedule.timeReached(at(now), jitter: 0) == .nothing)
        #expect(schedule.isDue(at: at(now)) == true)
    }

    @Test(arguments: [6, 50, 290] as [Int64]) func `backs off to a tenth of a short lifetime`(lifetime: Int64) {
        var schedule = holding(lifetime)
        var now = ClockReading(secondsSince1970: lifetime / 2, monotonic: .seconds(Double(lifetime) / 2))
        for _ in 0..<40 {
            schedule.asked(at: now)
            schedule.failed(at: now, jitter: 0)
            let wait = schedule.wait(at: now) ?? .zero
            #expect(wait > .zero && wait <= .seconds(Double(lifetime) / 10))
            // It stays so after the certificate has expired: the CA's return is noticed at once.
            now = ClockReading(
                secondsSince1970: now.secondsSince1970 + 1, monotonic: now.monotonic + max(wait, .seconds(1)))
            _ = schedule.timeReached(now, jitter: 0)
        }
    }

    @Test func `takes up to half off the back-off by jitter, and never all`() {
        for jitter in [0, 0.3, 0.999_999, -1, 7, .nan] {
            var schedule = RotationSchedule(at: at(0))
            for _ in 0..<40 {
                schedule.asked(at: at(0))
                schedule.failed(at: at(0), jitter: jitter)
                let wait = schedule.wait(at: at(0)) ?? .zero
                #expect(wait >= .milliseconds(499) && wait <= .seconds(30))
            }
        }
    }

    @Test func `treats a certificate that has expired already as a failure`() {
        var schedule = RotationSchedule(at: at(5000))
        schedule.asked(at: at(5000))
        #expect(schedule.issued(notBefore: 0, notAfter: 4999, at: at(5000), jitter: 0) == .refusedAsExpired)
        #expect(schedule.next(at(5000)) == 5001)
    }

    @Test func `does not ask in a loop for a certificate that is past its half`() {
        var schedule = RotationSchedule(at: at(900))
        schedule.asked(at: at(900))
        #expect(schedule.issued(notBefore: 0, notAfter: 1000, at: at(900), jitter: 0) == .accepted)
        #expect(schedule.next(at(900)) == 945)
    }

    @Test func `gives up an answer that does not come, and takes it if it comes late`() {
        var schedule = holding(86_400)
        schedule.asked(at: at(43_200))
        #expect(schedule.timeReached(at(43_209), jitter: 0) == .nothing)
        #expect(schedule.timeReached(at(43_210), jitter: 0) == .timedOut)
        #expect(schedule.timeReached(at(43_210), jitter: 0) == .nothing)
        #expect(schedule.next(at(43_210)) == 43_211)
        #expect(schedule.issued(notBefore: 43_200, notAfter: 129_600, at: at(43_211), jitter: 0.5) == .accepted)
        // Nobody asked, and it is no later than what is held.
        #expect(schedule.issued(notBefore: 43_200, notAfter: 129_600, at: at(43_212), jitter: 0.5) == .ignored)
    }

    @Test func `gives up an answer for a certificate of six seconds within one`() {
        var schedule = holding(6)
        schedule.asked(at: at(3))
        #expect(schedule.timeReached(at(4), jitter: 0) == .timedOut)
    }

    @Test(arguments: [-25 * 3600, -300, 300, 25 * 3600] as [Int64])
    func `renews in time although the time of day jumps`(jump: Int64) {
        var schedule = holding(86_400)
        // From second 1,000 on the time of day is wrong. By the timer renewal is due at 43,200.
        var requests: [Int64] = []
        for second in stride(from: Int64(1000), through: 43_300, by: 10) {
            let now = at(second, off: jump)
            while schedule.timeReached(now, jitter: 0) != .nothing {}
            guard schedule.isDue(at: now) else { continue }
            requests.append(second)
            schedule.asked(at: now)
            // Answered by a CA whose clock is right.
            _ = schedule.issued(notBefore: second - 300, notAfter: second + 86_400, at: now, jitter: 0.5)
        }
        // Never a storm: at most what the back-off of 30 s allows; and never silence.
        #expect(requests.contains { $0 <= 43_200 + 300 })
        #expect(requests.count <= 43_300 / 30)
        if abs(jump) <= 300 { #expect(requests.count == 1) }
        if jump < 0 { #expect(requests.count == 1) }
    }

    @Test func `renews at once after a sleep that only the time of day has seen`() {
        let schedule = holding(86_400)
        // Sixteen hours went by, and the timer knows of ten minutes.
        let awake = ClockReading(secondsSince1970: 16 * 3600, monotonic: .seconds(600))
        #expect(schedule.isDue(at: awake) == true)
    }

    @Test func `takes back into use what a wrong time of day had expired`() {
        var schedule = holding(86_400)
        #expect(schedule.timeReached(at(1000, off: 25 * 3600), jitter: 0) == .expired)
        #expect(schedule.timeReached(at(1001, off: 25 * 3600), jitter: 0) == .nothing)
        #expect(schedule.timeReached(at(1002), jitter: 0) == .restored)
        #expect(schedule.timeReached(at(1003), jitter: 0) == .nothing)
        // But not what is over by both clocks.
        #expect(schedule.timeReached(at(86_401), jitter: 0) == .expired)
        #expect(schedule.timeReached(at(86_402), jitter: 0) == .nothing)
        #expect(schedule.timeReached(at(86_403, off: -3600), jitter: 0) == .nothing)
    }

    @Test func `spreads what a predecessor left over time, and hurries with what ends`() {
        let jitters = [0, 0.25, 0.5, 0.75]
        func waits(_ notBefore: Int64, _ notAfter: Int64) -> [Double] {
            jitters.map {
                let schedule = RotationSchedule(holding: notBefore, until: notAfter, at: at(50_000), jitter: $0)
                return schedule.next(at(50_000)).map { $0 - 50_000 } ?? -1
            }
        }
        #expect(Set(waits(0, 86_400)).count == 4 && waits(0, 86_400).allSatisfy { (9100...18_200).contains($0) })
        #expect(Set(waits(49_000, 135_400)).count == 4)
        #expect(waits(49_995, 50_006).allSatisfy { $0 <= 3.5 })
        #expect(waits(0, 40_000).allSatisfy { abs($0) < 0.001 })
    }

    @Test func `stands any times`() {
        let extremes: [Int64] = [.min, -1, 0, 1, .max]
        for notBefore in extremes {
            for notAfter in extremes {
                for wall in extremes {
                    let now = ClockReading(secondsSince1970: wall, monotonic: .seconds(5))
                    let later = ClockReading(secondsSince1970: .max, monotonic: .seconds(1 << 50))
                    var schedule = RotationSchedule(at: now)
                    schedule.asked(at: now)
                    _ = schedule.issued(notBefore: notBefore, notAfter: notAfter, at: now, jitter: 0.9)
                    _ = schedule.timeReached(later, jitter: 0.5)
                    schedule.failed(at: later, jitter: 0)
                    #expect((schedule.wait(at: later) ?? .zero) >= .zero)
                    let held = RotationSchedule(holding: notBefore, until: notAfter, at: now, jitter: 0.9)
                    #expect(held.wait(at: now) != nil && held.wait(at: later) == .zero)
                }
            }
        }
    }
}
