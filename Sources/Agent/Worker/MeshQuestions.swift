internal import XDS

/// The questions for the whole mesh that wait for the controller's answer. Confined to the control loop.
final class MeshQuestions {
    /// What became of one.
    enum Answer {
        case answered(MeshReport)
        /// Why nobody answered, for an operator.
        case failed(String)
    }

    private struct Waiting {
        let complete: (Answer) -> Void
        var timer: Ticker?
    }

    private var last: UInt64 = 0
    private var waiting: [UInt64: Waiting] = [:]

    /// A question is about to be sent.
    /// - Returns: its number.
    func asked(_ complete: @escaping (Answer) -> Void) -> UInt64 {
        last &+= 1
        waiting[last] = Waiting(complete: complete)
        return last
    }

    /// The timer ends with the question.
    func keep(_ timer: Ticker, for id: UInt64) { waiting[id]?.timer = timer }

    /// An answer came; one that nobody waits for any more is dropped.
    func answered(_ report: MeshReport) { end(report.id, .answered(report)) }

    func timedOut(_ id: UInt64, after limit: Duration) {
        end(id, .failed("the controller did not answer within \(limit)"))
    }

    /// Nobody will answer what was asked.
    func failed(_ cause: String) {
        for id in waiting.keys.sorted() { end(id, .failed(cause)) }
    }

    private func end(_ id: UInt64, _ answer: Answer) {
        guard let question = waiting.removeValue(forKey: id) else { return }
        question.timer?.stop()
        question.complete(answer)
    }
}
