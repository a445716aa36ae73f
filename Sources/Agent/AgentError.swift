/// Why a process of the agent cannot do its work.
package struct AgentError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is to be mended: the configuration, or the system that did not let the process start.
    package enum Code: String, Hashable, Sendable {
        case badConfiguration = "bad_configuration"
        case notStarted = "not_started"
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
