import Keeper
import Testing

private let start = ContinuousClock.now

@Suite struct PodEnrolmentTests {
    private func captured() -> PodEnrolment {
        var enrolment = PodEnrolment(wantedAt: start)
        enrolment.namespaceFound()
        enrolment.captureSucceeded()
        return enrolment
    }

    @Test func `a wanted pod is searched for at once`() {
        let enrolment = PodEnrolment(wantedAt: start)
        #expect(enrolment.searchDue == start)
        #expect(enrolment.report.state == .pending)
    }

    @Test func `searches that find nothing come 250 ms apart at first and at most 5 s`() {
        var enrolment = PodEnrolment(wantedAt: start)
        var now = start
        var delays: [Duration] = []
        for _ in 0..<8 {
            enrolment.namespaceNotFound(at: now, reason: "none")
            guard let due = enrolment.searchDue else { break }
            delays.append(due - now)
            now = due
        }
        #expect(delays.prefix(3) == [.milliseconds(250), .milliseconds(500), .seconds(1)])
        #expect(delays.suffix(2) == [.seconds(5), .seconds(5)])
        #expect(enrolment.report == (.pending, "none"))
    }

    @Test func `a failed capture is told as failed and tried again, ever later`() {
        var enrolment = PodEnrolment(wantedAt: start)
        var delays: [Duration] = []
        for _ in 0..<3 {
            enrolment.namespaceFound()
            enrolment.captureFailed(at: start, reason: "port 15001 is in use")
            delays.append((enrolment.searchDue ?? start) - start)
        }
        #expect(delays == [.milliseconds(250), .milliseconds(500), .seconds(1)])
        #expect(enrolment.report == (.failed, "port 15001 is in use"))
    }

    @Test func `a captured pod is not searched for`() {
        let enrolment = captured()
        #expect(enrolment.isCaptured == true)
        #expect(enrolment.searchDue == nil)
        #expect(enrolment.report.state == .captured)
    }

    @Test func `a pod whose namespace dies is let go and searched for again`() {
        var enrolment = captured()
        #expect(enrolment.namespaceLost(at: start, reason: "gone") == .release)
        #expect(enrolment.report == (.pending, "gone"))
        #expect(enrolment.searchDue == start)
        #expect(enrolment.namespaceLost(at: start, reason: "gone") == .none)
    }

    @Test func `a pod that was never captured is forgotten when it is no longer wanted`() {
        var enrolment = PodEnrolment(wantedAt: start)
        #expect(enrolment.wishWithdrawn(at: start, drain: .seconds(30)) == .forget)
        #expect(enrolment.searchDue == nil)
    }

    @Test func `a captured pod that is no longer wanted drains, and its rules go with the last connection`() {
        var enrolment = captured()
        #expect(enrolment.wishWithdrawn(at: start, drain: .seconds(30)) == .stopCapturing)
        #expect(enrolment.wishWithdrawn(at: start, drain: .seconds(30)) == .none)
        #expect(enrolment.report.state == .withdrawn)
        #expect(enrolment.withdrawalEnded(at: start + .seconds(1), openConnections: 2) == false)
        #expect(enrolment.withdrawalEnded(at: start + .seconds(2), openConnections: 0) == true)
        #expect(enrolment.withdrawalEnded(at: start + .seconds(3), openConnections: 0) == false)
    }

    @Test func `a withdrawal ends at its deadline whatever is open`() {
        var enrolment = captured()
        _ = enrolment.wishWithdrawn(at: start, drain: .seconds(30))
        #expect(enrolment.withdrawalEnded(at: start + .milliseconds(29_999), openConnections: 1) == false)
        #expect(enrolment.withdrawalEnded(at: start + .seconds(30), openConnections: 1) == true)
    }

    @Test func `a withdrawn pod whose namespace dies is gone`() {
        var enrolment = captured()
        _ = enrolment.wishWithdrawn(at: start, drain: .seconds(30))
        #expect(enrolment.namespaceLost(at: start, reason: "gone") == .release)
        #expect(enrolment.searchDue == nil)
        #expect(enrolment.withdrawalEnded(at: start + .seconds(60), openConnections: 0) == false)
    }

    @Test func `a changed wish is applied in the same namespace and searched for in another`() {
        var same = captured()
        #expect(same.wishChanged(at: start, isSameNamespace: true) == .apply)
        #expect(same.isCaptured == true)
        var moved = captured()
        #expect(moved.wishChanged(at: start, isSameNamespace: false) == .releaseAndSearch)
        #expect(moved.searchDue == start)
        var searching = PodEnrolment(wantedAt: start)
        searching.namespaceNotFound(at: start, reason: "none")
        #expect(searching.wishChanged(at: start + .milliseconds(1), isSameNamespace: false) == .search)
        #expect(searching.searchDue == start + .milliseconds(1))
    }

    @Test func `a pod that is wanted again while it drains is captured anew`() {
        var enrolment = captured()
        _ = enrolment.wishWithdrawn(at: start, drain: .seconds(30))
        #expect(enrolment.wishChanged(at: start, isSameNamespace: true) == .releaseAndSearch)
        #expect(enrolment.searchDue == start)
    }

    @Test func `what cannot happen in a state changes nothing`() {
        var enrolment = captured()
        enrolment.namespaceFound()
        enrolment.namespaceNotFound(at: start, reason: "none")
        enrolment.captureFailed(at: start, reason: "late")
        #expect(enrolment.isCaptured == true)
        var searching = PodEnrolment(wantedAt: start)
        searching.captureSucceeded()
        #expect(searching.isCaptured == false)
    }
}
