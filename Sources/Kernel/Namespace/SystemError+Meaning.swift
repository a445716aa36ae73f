internal import Glibc

extension SystemError {
    /// The kernel or the namespace lacks the address family.
    package var isMissingFamily: Bool { code == EAFNOSUPPORT || code == EADDRNOTAVAIL }
    /// The other side does not take it now.
    package var wouldBlock: Bool { code == EAGAIN }
    /// EAGAIN.
    package static var tryAgain: Int32 { EAGAIN }
    /// ENOENT.
    package static var missing: Int32 { ENOENT }
}

extension SystemError {
    /// A unix socket cannot take more now: its queue, or the count of descriptors under way, is full (unix(7)).
    package var isBehind: Bool { code == EAGAIN || code == ETOOMANYREFS || code == ENOBUFS }
}
