import Foundation
import Kernel
import Testing

@testable import Agent

/// One step of a test on an event loop: waits for its condition, then acts.
struct Step {
    let name: String
    let isDue: () -> Bool
    let act: () throws -> Void

    static func when(_ name: String, _ isDue: @escaping () -> Bool, _ act: @escaping () throws -> Void = {}) -> Step {
        Step(name: name, isDue: isDue, act: act)
    }

    /// Lets the loop turn a few times, for what should not come any more.
    static func fewTurns() -> Step {
        var turns = 0
        return .when(
            "a few turns",
            {
                turns += 1
                return turns > 5
            })
    }
}

/// Runs `loop` until the last step is done; a step that is not due within a minute fails the test.
func run(_ loop: EventLoop, _ steps: Step...) throws {
    SignalSource.ignoreBrokenPipes()
    var remaining = steps[...]
    var failure: (any Error)?
    let deadline = ContinuousClock.now + .seconds(60)
    let ticker = Ticker(loop: loop, interval: .milliseconds(1)) {
        do {
            while let step = remaining.first, step.isDue() {
                remaining.removeFirst()
                try step.act()
            }
        } catch {
            failure = error
        }
        if failure != nil || remaining.isEmpty || ContinuousClock.now > deadline { loop.stop() }
    }
    ticker.start()
    try loop.run()
    ticker.stop()
    if let failure { throw failure }
    #expect(remaining.first?.name == nil, "this never came")
}

/// Runs `body` on a thread of its own: one that waits must not hold one of the few threads that tasks share, for those
/// of the processes that it plays with need them, too.
func onThread(_ body: @escaping () throws -> Void) async throws {
    let confined = LoopConfined(body)
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try confined.value() }) }
    }
}
