/// How far one call of `TLSConnection.process` came.
package struct TLSProgress: Hashable, Sendable {
    /// Why it came back.
    package enum Stop: Hashable, Sendable {
        /// All ciphertext was taken; more is needed to go on.
        case inputUsedUp
        /// The plaintext buffer is full: drain it and call again with the ciphertext that was not consumed, even if
        /// none is left, for decrypted bytes may wait inside.
        case outputFull
        /// The peer said close_notify: there will be no more plaintext, and what follows it is ignored
        /// (RFC 8446 section 6.1). Sending is still possible.
        case closedByPeer
    }

    /// Bytes taken from the front of the ciphertext that was offered.
    package let consumed: Int
    package let stop: Stop
    /// The handshake finished during this call: the peer is verified and `seal` may be used.
    package let becameEstablished: Bool

    package init(consumed: Int, stop: Stop, becameEstablished: Bool) {
        self.consumed = consumed
        self.stop = stop
        self.becameEstablished = becameEstablished
    }
}
