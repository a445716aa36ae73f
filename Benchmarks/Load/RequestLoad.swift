internal import Addressing
internal import Kernel

/// Messages that go back and forth on kept connections, each sent when the answer to the last is there.
final class RequestLoad: TimerHandler {
    private let memory: LoadMemory
    private var connections: [ClientConnection] = []
    private var latencies = Latencies()
    private var isOver = false
    private var failureCount = 0
    private var firstFailure: String?

    init(memory: LoadMemory) { self.memory = memory }

    func run(to address: SocketAddress, connections count: Int, for duration: Duration) throws(SystemError) -> Report {
        let begin = ContinuousClock.now
        memory.loop.schedule(at: begin + duration, self)
        for _ in 0..<count {
            let connection = ClientConnection(Order(.echo)) { [unowned self] in answered($0, $1) }
            connections.append(connection)
            connection.connect(to: address, memory: memory)
        }
        try memory.loop.run()
        var report = Report("request", since: begin)
        report.add("connections", count)
        report.add("requests", connections.reduce(0) { $0 + $1.answerCount })
        report.add(latencies)
        report.add("failures", failureCount)
        report.add("first_failure", firstFailure)
        return report
    }

    func timerFired(at now: ContinuousClock.Instant) {
        isOver = true
        memory.loop.stop()
    }

    private func answered(_ connection: ClientConnection, _ failure: String?) {
        if let failure {
            failureCount += 1
            firstFailure = firstFailure ?? failure
            if failureCount == connections.count { memory.loop.stop() }
            return
        }
        // The first one paid for the connection, and maybe for a tunnel.
        if connection.answerCount > 1 { latencies.add(.now - connection.begin) }
        if !isOver { connection.ask() }
    }
}
