/// Why the controller cannot do its work.
package struct ControllerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What the controller could not do.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        /// The directory of manifests does not exist, or is no directory.
        case directoryMissing = "directory_missing"
        /// It exists and cannot be listed or watched.
        case directoryUnreadable = "directory_unreadable"
    }

    package let code: Code
    /// What failed, for whom, and the likely cause.
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
