package import Transport

/// How long the data path waits for what, and for how many at once.
package struct ProxyTimes: Hashable, Sendable {
    /// An application's accept; and before that, the keeper's socket to connect with.
    package var connect: Duration = .seconds(10)
    /// The way to a peer's application, all attempts together: a dial, a handshake and the application's connect, each
    /// with its own limit of 10 s. Reached only if a peer or the keeper gives no answer at all.
    package var opening: Duration = .seconds(30)
    /// How long streams run on when the roots change and their peer is not trusted any more. Those of a revoked
    /// certificate end at once.
    package var distrusted: Duration = .seconds(30)
    package var handshakes = HandshakeLimits()

    package init() {}
}
