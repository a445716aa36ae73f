internal import Addressing
internal import Kernel

/// Connections that carry one message and its answer each; so many at a time, so many in all.
final class ConnectLoad: EventHandler {
    private let memory: LoadMemory
    private let address: SocketAddress
    private var open: [ObjectIdentifier: ClientConnection] = [:]
    private var latencies = Latencies()
    private var unopened: Int
    private var concurrency: Int
    private var failureCount = 0
    private var firstFailure: String?

    init(to address: SocketAddress, count: Int, concurrency: Int, memory: LoadMemory) {
        self.memory = memory
        self.address = address
        self.concurrency = concurrency
        unopened = count
    }

    func run() throws(SystemError) -> Report {
        let begin = ContinuousClock.now
        let count = unopened
        memory.loop.nextTurn(self)
        try memory.loop.run()
        var report = Report("connect", since: begin)
        report.add("connections", count)
        report.add(latencies)
        report.add("failures", failureCount)
        report.add("first_failure", firstFailure)
        return report
    }

    func ready(_ readiness: Readiness) {
        while open.count < concurrency, unopened > 0 {
            unopened -= 1
            let connection = ClientConnection(Order(.echo)) { [unowned self] in answered($0, $1) }
            open[ObjectIdentifier(connection)] = connection
            connection.connect(to: address, memory: memory)
        }
        if open.isEmpty, unopened == 0 { memory.loop.stop() }
    }

    private func answered(_ connection: ClientConnection, _ failure: String?) {
        if failure == nil { latencies.add(.now - connection.begin) } else { failureCount += 1 }
        firstFailure = firstFailure ?? failure
        connection.close()
        open[ObjectIdentifier(connection)] = nil
        memory.loop.nextTurn(self)
    }
}
