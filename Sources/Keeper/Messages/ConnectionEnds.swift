package import Addressing

/// One TCP connection of a pod, by its ends.
package struct ConnectionEnds: Hashable, Sendable {
    /// The pod's end.
    package let local: SocketAddress
    /// The other end.
    package let remote: SocketAddress
    /// Whether the other end opened it.
    package let isInbound: Bool

    package init(local: SocketAddress, remote: SocketAddress, isInbound: Bool) {
        self.local = local
        self.remote = remote
        self.isInbound = isInbound
    }

    init(reader: inout MessageReader) throws(KeeperError) {
        local = SocketAddress(try reader.address(), try reader.number(UInt16.self))
        remote = SocketAddress(try reader.address(), try reader.number(UInt16.self))
        isInbound = try reader.flag()
    }

    func write(to writer: inout MessageWriter) {
        for end in [local, remote] {
            writer.address(end.ip)
            writer.number(end.port)
        }
        writer.flag(isInbound)
    }
}

extension MessageReader {
    /// One byte, 0 or 1.
    mutating func flag() throws(KeeperError) -> Bool {
        switch try number(UInt8.self) {
        case 0: false
        case 1: true
        case let other: throw .malformed("a flag of \(other)")
        }
    }
}

extension MessageWriter {
    mutating func flag(_ flag: Bool) {
        number(UInt8(flag ? 1 : 0))
    }
}
