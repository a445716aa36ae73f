extension TCPSocket {
    /// Gives up the socket as a plain descriptor, to be passed on.
    package consuming func takeDescriptor() -> Descriptor {
        descriptor
    }
}
