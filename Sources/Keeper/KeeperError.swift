/// Why the keeper refused to start, or could not do what it was asked to.
package struct KeeperError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it was; bounded, fit for a metric label.
    package enum Code: String, Hashable, Sendable {
        /// A message is not what its sender agreed to send: the sender is broken or hostile.
        case malformedMessage
        /// The process lacks a capability that it cannot do without.
        case missingCapability
        /// Another agent runs on this node.
        case alreadyRunning
        /// A port or socket path that the agent listens on is taken.
        case addressInUse
        /// A file, directory or socket of the agent's own could not be made.
        case resources
        /// A child could not be started.
        case childFailed
        /// A pod could not be captured.
        case enrolment
        /// Not now: the agent hands over to another, or is taking over.
        case busy
        /// The agent that runs could not be succeeded.
        case handover
    }

    /// What kind of failure it was.
    package let code: Code
    /// What failed, for whom, and the likely cause.
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
