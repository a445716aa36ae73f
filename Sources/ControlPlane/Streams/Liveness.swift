/// How soon one end finds that the other vanished without a word.
package struct Liveness: Hashable, Sendable {
    /// After so much silence the other end is asked, by a PING.
    package var silence: Duration
    /// It has so much time for the answer. Shorter than `silence`: the transport asks again after that, and counts anew.
    package var answer: Duration

    /// For so long TLS waits for the other end's farewell before a connection that is given up is closed; fixed there.
    static let farewell = Duration.seconds(5)

    /// By default a peer that vanished is found within 15 s, the farewell included.
    package init(silence: Duration = .seconds(6), answer: Duration = .seconds(3)) {
        self.silence = silence
        self.answer = answer
    }
}
