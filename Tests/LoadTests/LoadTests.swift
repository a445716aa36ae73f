import Addressing
import Kernel
import Testing

@testable import meshnode_load

/// A server or a relay on a thread of its own, ended with this value.
private final class Serving {
    private let memory: LoadMemory
    private let thread: LoopThread
    let address: SocketAddress

    init(_ make: (LoadMemory) throws -> (address: SocketAddress?, run: () throws -> Void)) throws {
        memory = try LoadMemory()
        let made = try make(memory)
        address = try #require(made.address)
        nonisolated(unsafe) let run = made.run
        thread = LoopThread(name: "load") { try? run() }
        try thread.start()
    }

    deinit {
        memory.loop.stop()
        thread.join()
    }

    static func server() throws -> Serving {
        try Serving { memory in
            let server = try LoadServer(at: anyPort, memory: memory)
            return (server.address, server.run)
        }
    }

    static func relay(to server: Serving) throws -> Serving {
        try Serving { memory in
            let relay = try PlainRelay(at: anyPort, to: .fixed(server.address), memory: memory)
            return (relay.address, relay.run)
        }
    }

    private static let anyPort = SocketAddress(IPAddress(v4: 0x7f00_0001), 0)
}

@Suite struct LoadTests {
    @Test(arguments: [Order.Kind.upload, .download], [1, 3])
    func `bulk carries every byte, through a relay, too`(direction: Order.Kind, streams: Int) throws {
        let server = try Serving.server()
        let relay = try Serving.relay(to: server)
        for address in [server.address, relay.address] {
            let report = try BulkLoad(memory: LoadMemory())
                .run(to: address, streams: streams, byteCount: 3 << 20, direction: direction)
            #expect(report.value(of: "bytes") == "\(3 << 20)")
            #expect(report.value(of: "first_failure") == nil)
        }
    }

    @Test func `connections are opened, answered and closed, so many as were asked for`() throws {
        let server = try Serving.server()
        let relay = try Serving.relay(to: server)
        for address in [server.address, relay.address] {
            let report = try ConnectLoad(to: address, count: 50, concurrency: 4, memory: LoadMemory()).run()
            #expect(report.value(of: "connections") == "50")
            #expect(report.value(of: "failures") == "0")
        }
    }

    @Test func `requests go back and forth on every kept connection`() throws {
        let server = try Serving.server()
        let report = try RequestLoad(memory: LoadMemory())
            .run(to: server.address, connections: 3, for: .milliseconds(50))
        #expect(try #require(Int(report.value(of: "requests") ?? "")) >= 3)
        #expect(report.value(of: "failures") == "0")
    }

    @Test func `who is not there is a failure, in every kind of work`() throws {
        // Bound, and nobody listens.
        let socket = try TCPSocket.make(.v4)
        try socket.bind(to: SocketAddress(IPAddress(v4: 0x7f00_0001), 0))
        let bound = socket.localAddress()
        let address = try #require(bound)
        let reports = [
            try ConnectLoad(to: address, count: 3, concurrency: 2, memory: LoadMemory()).run(),
            try BulkLoad(memory: LoadMemory()).run(to: address, streams: 2, byteCount: 100, direction: .upload),
            try RequestLoad(memory: LoadMemory()).run(to: address, connections: 2, for: .seconds(5)),
        ]
        for report in reports {
            #expect(report.value(of: "failures") != "0")
            #expect(report.value(of: "first_failure")?.contains("refused") == true)
        }
    }

    @Test func `an order is read as it was written, and nothing else is one`() {
        let order = Order(.upload, count: 0x0102_0304_0506)
        #expect(order.message.count == Order.messageSize)
        #expect(Order(order.message) == order)
        #expect(Order([UInt8](repeating: 0, count: Order.messageSize)) == nil)
        #expect(Order(Array(order.message.dropLast())) == nil)
        var negative = order.message
        negative[8] = 0xff
        #expect(Order(negative) == nil)
    }

    @Test func `a quantile is of the sorted times`() {
        var latencies = Latencies()
        #expect(latencies.quantile(0.5) == 0)
        for time in [5, 1, 4, 2, 3] { latencies.add(.nanoseconds(time)) }
        #expect(latencies.quantile(0) == 1)
        #expect(latencies.quantile(0.5) == 3)
        #expect(latencies.quantile(0.99) == 5)
    }

    @Test func `a command line that is not wholly understood is refused`() throws {
        #expect(throws: LoadUsageError.self) { _ = try LoadOptions(["load"]) }
        #expect(throws: LoadUsageError.self) { _ = try LoadOptions(["load", "serve", "--at"]) }
        var options = try LoadOptions(["load", "bulk", "--streams", "0", "--to", "nowhere", "--direction", "left"])
        #expect(throws: LoadUsageError.self) { _ = try options.count("--streams") }
        #expect(throws: LoadUsageError.self) { _ = try options.address("--to") }
        #expect(throws: LoadUsageError.self) { _ = try options.direction() }
        #expect(throws: LoadUsageError.self) { _ = try options.count("--bytes") }
        let other = try LoadOptions(["load", "serve", "--colour", "red"])
        #expect(throws: LoadUsageError.self) { try other.end() }
    }
}
