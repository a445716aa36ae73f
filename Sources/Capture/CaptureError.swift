/// Why a pod could not be captured, looked at or released.
package struct CaptureError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What kind of failure it was; bounded, fit for a metric label.
    package enum Code: String, Sendable {
        /// The plan itself is wrong: nothing was sent to the kernel.
        case invalidPlan
        /// No memory, or no netlink socket.
        case resources
        /// The kernel refused an object of the ruleset; the whole transaction was undone.
        case rejected
        /// The kernel's answer could not be read.
        case unreadable
        /// A policy rule or route could not be set or removed.
        case routing
        /// A file of /proc/sys could not be read or written.
        case sysctl
    }

    package let code: Code
    /// What failed, for what, and the likely cause.
    package let message: String
    /// The positive errno, where the kernel gave one.
    package let errno: Int32?

    package init(_ code: Code, _ message: String, errno: Int32? = nil) {
        self.code = code
        self.message = message
        self.errno = errno
    }

    package var description: String { "\(code.rawValue): \(message)" }
}
