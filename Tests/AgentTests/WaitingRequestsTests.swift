import Testing
import XDS

@testable import Agent

@Suite struct `Certificate requests without a controller` {
    private let start = ContinuousClock.now
    private let request = CertificateRequest(id: 7, signingRequestPEM: "", identity: Samples.web)

    @Test func `wait for the connection and are sent then, once`() {
        var waiting = WaitingRequests()
        waiting.asked(request, at: start) { _ in Issue.record("nobody answered yet") }
        waiting.advance(to: start + .seconds(4), trouble: "away")
        #expect(waiting.connected().map(\.request) == [request])
        #expect(waiting.connected().isEmpty)
    }

    @Test func `are refused with the cause when it does not come in time`() {
        var waiting = WaitingRequests()
        var outcomes: [CertificateResponse] = []
        waiting.asked(request, at: start) { outcomes.append($0) }
        waiting.advance(to: start + .seconds(5), trouble: "connection refused")
        #expect(
            outcomes == [
                CertificateResponse(
                    id: 7, outcome: .refused("the controller cannot be reached: connection refused"))
            ])
        #expect(waiting.connected().isEmpty)
    }

    @Test func `are refused at once when too many wait`() {
        var waiting = WaitingRequests()
        var refused = 0
        for _ in 0..<(WaitingRequests.most + 3) { waiting.asked(request, at: start) { _ in refused += 1 } }
        #expect(refused == 3)
        #expect(waiting.connected().count == WaitingRequests.most)
    }
}
