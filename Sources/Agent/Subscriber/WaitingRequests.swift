internal import XDS

/// Certificate requests that came while there was no connection to the controller. They wait for one a while, so that
/// a worker that has just started, as its subscriber has, is not put off.
struct WaitingRequests {
    /// One of them.
    struct Waiting {
        let request: CertificateRequest
        let answer: (CertificateResponse) -> Void
        let until: ContinuousClock.Instant
    }

    private var waiting: [Waiting] = []

    /// How long one waits.
    static let patience = Duration.seconds(5)
    /// The most that wait; one more is refused at once.
    static let most = 1000

    mutating func asked(
        _ request: CertificateRequest, at now: ContinuousClock.Instant,
        _ answer: @escaping (CertificateResponse) -> Void
    ) {
        guard waiting.count < Self.most else {
            return refuse(Waiting(request: request, answer: answer, until: now), "too many requests wait for it")
        }
        waiting.append(Waiting(request: request, answer: answer, until: now + Self.patience))
    }

    /// There is a connection: those that are to be sent now.
    mutating func connected() -> [Waiting] {
        defer { waiting = [] }
        return waiting
    }

    /// Time passed: who waited too long is told why there is no connection.
    mutating func advance(to now: ContinuousClock.Instant, trouble: String) {
        let late = waiting.filter { $0.until <= now }
        waiting.removeAll { $0.until <= now }
        for one in late { refuse(one, trouble) }
    }

    private func refuse(_ waiting: Waiting, _ trouble: String) {
        let reason = "the controller cannot be reached: \(trouble)"
        waiting.answer(CertificateResponse(id: waiting.request.id, outcome: .refused(reason)))
    }
}
