/// Why a process of the agent cannot do its work.
package struct AgentError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is to be mended: the configuration, the system that did not let the process start, or what it started from.
    package enum Code: String, Hashable, Sendable {
        case badConfiguration = "bad_configuration"
        case notStarted = "not_started"
        /// What a predecessor left cannot be used; the process starts without it.
        case unusableState = "unusable_state"
        /// One of the worker's channels to the keeper broke while the keeper lives: another worker takes over.
        case brokenChannel = "broken_channel"
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
