internal import Glibc

/// A failed system call: which one, and the error number that it left (errno(3)).
package struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The call's name, such as `connect`, with its object where that helps: `open /proc/1/ns/net`.
    package let call: String
    /// The error number.
    package let code: Int32

    package init(_ call: String, _ code: Int32) {
        self.call = call
        self.code = code
    }

    /// The error number that the call just left, for use on the line after it.
    static func last(_ call: String) -> SystemError { SystemError(call, errno) }

    package var description: String { "\(call): \(Self.text(of: code))" }

    /// What strerror(3) says of `code`.
    package static func text(of code: Int32) -> String {
        guard let text = unsafe strerror(code) else { return "error \(code)" }
        return unsafe String(cString: text)
    }

    package var isConnectionRefused: Bool { code == ECONNREFUSED }
    package var isTimeout: Bool { code == ETIMEDOUT }
    package var isConnectionReset: Bool { code == ECONNRESET || code == EPIPE }
    package var isPermissionDenied: Bool { code == EACCES || code == EPERM }
    package var isMissingFile: Bool { code == ENOENT }
    package var isAddressInUse: Bool { code == EADDRINUSE }
    package var isOutOfDescriptors: Bool { code == EMFILE || code == ENFILE }
}

/// Calls `body` until it is not interrupted by a signal, and turns -1 into an error.
@discardableResult
func retrying<Number: SignedInteger>(_ call: @autoclosure () -> String, _ body: () -> Number) throws(SystemError)
    -> Number
{
    while true {
        let result = body()
        if result >= 0 { return result }
        let code = errno
        if code != EINTR { throw SystemError(call(), code) }
    }
}

extension SystemError {
    /// ECONNRESET.
    package static var connectionReset: Int32 { ECONNRESET }
    /// ETIMEDOUT.
    package static var timedOut: Int32 { ETIMEDOUT }
    /// EBADF.
    package static var badDescriptor: Int32 { EBADF }
    /// errno of a process that may have no more descriptors.
    package static var descriptorsExhausted: Int32 { EMFILE }
}
