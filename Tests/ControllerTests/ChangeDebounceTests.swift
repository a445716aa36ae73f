import Testing

@testable import Controller

@Suite struct `A burst of changes after another` {
    private let start = ContinuousClock.now

    @Test func `waits three times as long as the one before took to apply`() {
        var debounce = ChangeDebounce()
        debounce.applied(in: .milliseconds(100), at: start)
        let due1 = debounce.changed(at: start + .milliseconds(10))
        #expect(due1 == start + .milliseconds(300))
        let isDue = debounce.isDue(at: start + .milliseconds(300))
        #expect(isDue)
        let due2 = debounce.changed(at: start + .milliseconds(400))
        #expect(due2 == start + .milliseconds(450))
        debounce.applied(in: .milliseconds(20), at: start + .milliseconds(400))
        #expect(debounce.deadline == start + .milliseconds(460))
        debounce.applied(in: .zero, at: start + .milliseconds(500))
        let due3 = debounce.changed(at: start + .milliseconds(500))
        #expect(due3 == start + .milliseconds(520))
    }

    @Test func `waits for no more than a second`() {
        var debounce = ChangeDebounce()
        debounce.applied(in: .seconds(5), at: start)
        let due = debounce.changed(at: start)
        #expect(due == start + .seconds(1))
    }
}
