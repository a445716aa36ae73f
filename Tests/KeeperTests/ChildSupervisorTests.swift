import Keeper
import Testing

private let start = ContinuousClock.now

@Suite struct ChildSupervisorTests {
    private func running(since now: ContinuousClock.Instant = start) -> ChildSupervisor {
        var supervisor = ChildSupervisor()
        _ = supervisor.startRequested()
        supervisor.started(at: now)
        return supervisor
    }

    @Test func `a child is started once`() {
        var supervisor = ChildSupervisor()
        #expect(supervisor.startRequested() == .start)
        supervisor.started(at: start)
        #expect(supervisor.isRunning == true)
        #expect(supervisor.startRequested() == .none)
        #expect(supervisor.restartCount == 0)
    }

    @Test func `the first exit is followed by a start at once`() {
        var supervisor = running()
        #expect(supervisor.exited(at: start + .milliseconds(5)) == .start)
        #expect(supervisor.restartCount == 1)
    }

    @Test func `a crash loop is slowed down from 100 ms to 5 s`() {
        var supervisor = running()
        var now = start
        var delays: [Duration] = []
        _ = supervisor.exited(at: now)
        supervisor.started(at: now)
        for _ in 0..<9 {
            guard case .wait(let until) = supervisor.exited(at: now) else { continue }
            delays.append(until - now)
            #expect(supervisor.restartDue(at: until - .milliseconds(1)) == .wait(until: until))
            #expect(supervisor.restartDue(at: until) == .start)
            now = until
            supervisor.started(at: now)
        }
        #expect(delays.prefix(4) == [.milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800)])
        #expect(delays.suffix(2) == [.seconds(5), .seconds(5)])
        #expect(supervisor.restartCount == 10)
    }

    @Test func `a child that lived ten seconds is started at once again`() {
        var supervisor = running()
        var now = start
        for _ in 0..<5 {
            if case .wait(let until) = supervisor.exited(at: now) { now = until }
            supervisor.started(at: now)
        }
        #expect(supervisor.exited(at: now + .seconds(10)) == .start)
    }

    @Test func `a child that cannot be started counts as one that ended`() {
        var supervisor = ChildSupervisor()
        _ = supervisor.startRequested()
        #expect(supervisor.exited(at: start) == .start)
        #expect(supervisor.exited(at: start) == .wait(until: start + .milliseconds(100)))
    }

    @Test func `after a stop its exit is the end`() {
        var supervisor = running()
        #expect(supervisor.stopRequested() == true)
        #expect(supervisor.isStopped == false)
        #expect(supervisor.exited(at: start) == .none)
        #expect(supervisor.isStopped == true)
        #expect(supervisor.restartCount == 0)
    }

    @Test func `a stop while it waits for a restart needs no exit`() {
        var supervisor = running()
        _ = supervisor.exited(at: start)
        supervisor.started(at: start)
        _ = supervisor.exited(at: start)
        #expect(supervisor.stopRequested() == false)
        #expect(supervisor.isStopped == true)
        #expect(supervisor.restartDue(at: start + .seconds(9)) == .none)
    }
}
