import Keeper
import Testing

private let start = ContinuousClock.now

@Suite struct HandoverGiverTests {
    private func greeted() -> HandoverGiver {
        var giver = HandoverGiver()
        _ = giver.helloReceived(layout: HandoverLayout.current, isAllowed: true, isSettled: true, at: start)
        return giver
    }

    private func offering() -> HandoverGiver {
        var giver = greeted()
        _ = giver.claimReceived(at: start)
        return giver
    }

    @Test func `an agent of the same layout is welcomed, told everything, and yielded to when it serves`() {
        var giver = HandoverGiver()
        #expect(
            giver.helloReceived(layout: HandoverLayout.current, isAllowed: true, isSettled: true, at: start) == .welcome
        )
        #expect(giver.isOffering == false)
        #expect(giver.claimReceived(at: start) == .offer)
        #expect(giver.isOffering == true)
        #expect(giver.servingReceived() == .yield)
        #expect(giver.hasYielded == true)
        #expect(giver.isOffering == false)
    }

    @Test(arguments: [
        (UInt16(0), true, true, HandoverRefusal.layout), (HandoverLayout.current + 1, true, true, .layout),
        (HandoverLayout.current, false, true, .foreign), (HandoverLayout.current, true, false, .busy),
    ])
    func `who may not take over is told why`(
        layout: UInt16, isAllowed: Bool, isSettled: Bool, reason: HandoverRefusal
    ) {
        var giver = HandoverGiver()
        #expect(
            giver.helloReceived(layout: layout, isAllowed: isAllowed, isSettled: isSettled, at: start)
                == .refuse(reason))
        // The next one finds it as if nothing had been.
        #expect(
            giver.helloReceived(layout: HandoverLayout.current, isAllowed: true, isSettled: true, at: start) == .welcome
        )
    }

    @Test func `a second agent is refused as long as the first is there, and for good once that one serves`() {
        var first = greeted()
        var second = offering()
        for _ in 0..<2 {
            #expect(
                first.helloReceived(layout: HandoverLayout.current, isAllowed: true, isSettled: true, at: start)
                    == .refuse(.busy))
            #expect(
                second.helloReceived(layout: HandoverLayout.current, isAllowed: true, isSettled: true, at: start)
                    == .refuse(.busy))
            _ = second.servingReceived()
        }
    }

    @Test func `one that goes before it was told anything leaves nothing to undo`() {
        var giver = greeted()
        #expect(giver.failed() == .close)
        #expect(giver.failed() == .none)
    }

    @Test func `one that goes before it serves lets everything go on`() {
        var giver = offering()
        #expect(giver.failed() == .resume)
        #expect(giver.isOffering == false)
        #expect(giver.hasYielded == false)
        #expect(giver.servingReceived() == .none)
    }

    @Test func `one that goes after it serves changes nothing any more`() {
        var giver = offering()
        _ = giver.servingReceived()
        #expect(giver.failed() == .none)
        #expect(giver.hasYielded == true)
        #expect(giver.timePassed(at: start + .seconds(3600)) == .none)
    }

    @Test func `one that takes too long is given up`() {
        var silent = greeted()
        #expect(silent.timePassed(at: start + .milliseconds(4999)) == .none)
        #expect(silent.timePassed(at: start + .seconds(5)) == .close)
        var slow = offering()
        #expect(slow.timePassed(at: start + .milliseconds(29_999)) == .none)
        #expect(slow.timePassed(at: start + .seconds(30)) == .resume)
    }

    @Test func `what comes out of order ends it`() {
        var early = greeted()
        #expect(early.servingReceived() == .close)
        var twice = offering()
        #expect(twice.claimReceived(at: start) == .resume)
        var idle = HandoverGiver()
        #expect(idle.claimReceived(at: start) == .none)
        #expect(idle.servingReceived() == .none)
    }
}
