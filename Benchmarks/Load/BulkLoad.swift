internal import Addressing
internal import Kernel

/// Some streams side by side, each carrying the same number of bytes in one direction.
final class BulkLoad {
    private let memory: LoadMemory
    private var connections: [ClientConnection] = []
    private var open = 0
    private var failure: String?

    init(memory: LoadMemory) { self.memory = memory }

    /// - Parameter byteCount: of all streams together.
    func run(
        to address: SocketAddress, streams: Int, byteCount: Int, direction: Order.Kind
    ) throws(SystemError) -> Report {
        let begin = ContinuousClock.now
        let share = byteCount / streams
        open = streams
        for _ in 0..<streams {
            let connection = ClientConnection(Order(direction, count: share)) { [unowned self] in ended($0, $1) }
            connections.append(connection)
            connection.connect(to: address, memory: memory)
        }
        try memory.loop.run()
        var report = Report("bulk", since: begin)
        report.add("streams", streams)
        report.add("bytes", share * streams)
        report.add("failures", failure == nil ? 0 : 1)
        report.add("first_failure", failure)
        return report
    }

    private func ended(_ connection: ClientConnection, _ failure: String?) {
        connection.close()
        self.failure = self.failure ?? failure
        open -= 1
        if open == 0 || failure != nil { memory.loop.stop() }
    }
}
