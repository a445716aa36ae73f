/// What the process ends with: the closed list of the CLI conventions (sysexits.h for 64, 65 and 77).
package enum ExitStatus: Int32, Sendable, Equatable {
    /// Yes, or done.
    case ok = 0
    /// Something that should not happen.
    case unexpected = 1
    /// It worked, and the answer is no: unhealthy, denied, differs.
    case no = 2
    /// Warnings, with `--fail-on warning`.
    case warnings = 3
    /// The agent could not be reached.
    case unreachable = 4
    /// The command line is wrong.
    case usage = 64
    /// What was read is wrong.
    case badInput = 65
    /// Not permitted.
    case notPermitted = 77
    /// Ctrl-C.
    case interrupted = 130
}

/// Why a command could not answer. The message goes to standard error as it is.
package struct CommandError: Error, Equatable, CustomStringConvertible {
    /// What the process ends with.
    package let status: ExitStatus
    /// What failed and what to do about it.
    package let message: String

    package init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }

    package var description: String { message }
}
