package import Addressing

/// What policies may ask about a connection.
package struct ConnectionFacts: Hashable, Sendable {
    /// The peer's identity, only ever from a verified certificate; nil for a plaintext peer.
    package var source: SPIFFEID?
    package var sourceAddress: IPAddress
    /// The address of the workload that is connected to.
    package var destinationAddress: IPAddress
    /// The application's port, never the tunnel's.
    package var destinationPort: UInt16

    package init(
        source: SPIFFEID?, sourceAddress: IPAddress, destinationAddress: IPAddress, destinationPort: UInt16
    ) {
        self.source = source
        self.sourceAddress = sourceAddress
        self.destinationAddress = destinationAddress
        self.destinationPort = destinationPort
    }
}
