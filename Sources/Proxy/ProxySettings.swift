package import Transport

/// How long the data path waits for what, and how much of it it bears.
package struct ProxySettings: Hashable, Sendable {
    /// An application's accept; and before that, the keeper's socket to connect with.
    package var connect: Duration = .seconds(10)
    /// The way to a peer's application, all attempts together: a dial, a handshake and the application's connect, each
    /// with its own limit of 10 s. Reached only if a peer or the keeper gives no answer at all.
    package var opening: Duration = .seconds(30)
    /// How long streams run on when the roots change and their peer is not trusted any more. Those of a revoked
    /// certificate end at once.
    package var distrusted: Duration = .seconds(30)
    /// TLS handshakes of accepted tunnels.
    package var handshakes = HandshakeLimits()
    /// Streams that one peer identity may reset at once before they were answered, over all its tunnels to a loop.
    package var resetBurst = 4000.0
    /// And per second in the long run.
    package var resetsPerSecond = 1000.0

    package init() {}
}
