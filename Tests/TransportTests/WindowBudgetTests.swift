import DataPlaneTestSupport
import Testing

@testable import Transport

@Suite struct `The budget of windows` {
    /// `#expect` copies what it looks at, and a share cannot be copied.
    private func expect(_ holds: Bool, at location: SourceLocation = #_sourceLocation) {
        #expect(holds, sourceLocation: location)
    }

    @Test func `is shared, refused when spent, and given back at the end`() {
        let budget = WindowBudget(limitInBytes: 100)
        do {
            var first = WindowShare(of: budget)
            var second = WindowShare(of: budget)
            expect(first.resize(to: 60))
            expect(!second.resize(to: 60))
            expect(second.resize(to: 40))
            #expect(budget.grantedInBytes == 100)
            expect(!first.resize(to: 61))
            _ = consume second
            #expect(budget.grantedInBytes == 60)
            expect(first.resize(to: 90))
        }
        #expect(budget.grantedInBytes == 0)
    }

    @Test func `has back what shrank only as the peer's credit is used up`() {
        let budget = WindowBudget(limitInBytes: 100)
        var share = WindowShare(of: budget)
        expect(share.resize(to: 80))
        expect(share.resize(to: 20))
        #expect(budget.grantedInBytes == 80)
        share.took(50)
        #expect(budget.grantedInBytes == 30)
        // What is still owed is not taken twice.
        expect(share.resize(to: 40))
        #expect(budget.grantedInBytes == 40)
        share.took(1000)
        #expect(budget.grantedInBytes == 40)
    }

    @Test func `is used by a stream that runs, and free when it has ended`() throws {
        let world = try TunnelWorld()
        let client = try world.accepted(world.open())
        let server = try world.application()
        let app = client.app
        let sent = Work { app.stream(32 << 20, seed: 5) }
        let received = Work { server.digestAll() }
        let windows = world.accepting.windows
        try world.test.wait(for: "a larger window") { windows.grantedInBytes > 0 }
        #expect(try received.wait().digest == (try sent.wait()))
        #expect(windows.grantedInBytes <= 4 << 20)
        server.finish()
        _ = client.app.receiveAll()
        try world.test.on { world.apps.carriers = [:] }
        try world.test.wait(for: "the window's return") { windows.grantedInBytes == 0 }
        try world.end()
    }

    @Test func `spent, leaves every stream the window that it began with`() throws {
        let world = try TunnelWorld(windows: WindowBudget(limitInBytes: 0))
        let client = try world.accepted(world.open())
        let server = try world.application()
        let app = client.app
        let sent = Work { app.stream(8 << 20, seed: 6) }
        #expect(server.digestAll().digest == (try sent.wait()))
        #expect(world.accepting.windows.grantedInBytes == 0)
        try world.end()
    }
}
