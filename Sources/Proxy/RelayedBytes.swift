package import Transport

/// How many bytes a connection carried, from the client's side: `sent` towards the server, `received` back.
package struct RelayedBytes: Hashable, Sendable {
    /// Bytes from the client to the server.
    package var sent: UInt64 = 0
    package var received: UInt64 = 0
}

/// How a relay ended.
package enum RelayEnd: Hashable, Sendable {
    /// Both directions ended with FIN.
    case finished
    /// One side broke off, with what it was told: the other side was reset, too.
    case broken(RelayBreak)
}

/// Which side of a relay broke off.
package enum RelayBreak: Hashable, Sendable {
    case clientReset
    case serverReset
    /// The tunnel under the stream ended.
    case tunnelLost(TunnelFailure)
    /// We closed it, for example because of a policy change.
    case closedByUs
}

/// Told once when a relay has ended; both its sides are closed then.
protocol RelayOwner: AnyObject {
    func relayEnded(_ end: RelayEnd, bytes: RelayedBytes)
}
