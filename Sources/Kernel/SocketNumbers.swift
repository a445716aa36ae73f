package import Addressing
internal import CLinux
internal import Glibc

// Sockets that somebody else keeps open, by their numbers.

extension UnixSocket {
    /// As `accept(_:)`, for a listener that the caller knows to be open.
    package static func accept(number: Int32) -> AcceptOutcome {
        let result = interruptible { Int(mn_accept4(number, nil, nil)) }
        if result >= 0 { return .accepted(Descriptor(owning: Int32(result))) }
        let code = errno
        return code == EAGAIN ? .wouldBlock : .failed(SystemError("accept4", code))
    }
}

extension SocketAddress {
    /// Where the socket `number` is bound; nil if it is none of IP (getsockname(2)).
    package static func ofSocket(_ number: Int32) -> SocketAddress? {
        var bytes = SocketAddressBytes()
        let result = unsafe bytes.withPointer { unsafe getsockname(number, $0, $1) }
        return result == 0 ? bytes.address : nil
    }
}

extension DescriptorList {
    /// Others of the same open files, which stay open whatever becomes of `numbers`.
    /// - Throws: EMFILE, or EBADF if one of them is not open.
    package static func duplicating(_ numbers: [Int32]) throws(SystemError) -> DescriptorList {
        let list = DescriptorList()
        for number in numbers {
            list.append(Descriptor(owning: try retrying("dup") { fcntl(number, F_DUPFD_CLOEXEC, 3) }))
        }
        return list
    }
}

extension SystemError {
    /// ERANGE.
    package static var outOfRange: Int32 { ERANGE }
    /// EPERM.
    package static var notPermitted: Int32 { EPERM }
}
