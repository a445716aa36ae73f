internal import Addressing
internal import Kernel

/// Connections that have carried one message and then stay open, until the process is ended.
final class IdleLoad: EventHandler {
    private let memory: LoadMemory
    private let address: SocketAddress
    private let count: Int
    private var connections: [ClientConnection] = []
    private var begin: ContinuousClock.Instant = .now
    private var openCount = 0
    private var failureCount = 0
    private var firstFailure: String?

    /// How many are opened at a time.
    private static let concurrency = 32

    init(to address: SocketAddress, count: Int, memory: LoadMemory) {
        self.memory = memory
        self.address = address
        self.count = count
    }

    func run() throws(SystemError) {
        begin = .now
        memory.loop.nextTurn(self)
        try memory.loop.run()
    }

    func ready(_ readiness: Readiness) {
        while connections.count < min(count, openCount + failureCount + Self.concurrency) {
            let connection = ClientConnection(Order(.echo)) { [unowned self] in answered($0, $1) }
            connections.append(connection)
            connection.connect(to: address, memory: memory)
        }
    }

    private func answered(_ connection: ClientConnection, _ failure: String?) {
        if let failure {
            failureCount += 1
            firstFailure = firstFailure ?? failure
        } else {
            openCount += 1
        }
        memory.loop.nextTurn(self)
        if openCount + failureCount == count { tell() }
    }

    private func tell() {
        var report = Report("idle", since: begin)
        report.add("connections", openCount)
        report.add("failures", failureCount)
        report.add("first_failure", firstFailure)
        report.print()
    }
}
