/// Why bytes are not the JSON text that they should be.
package struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is wrong, for people.
    package let message: String
    /// The byte at which it was noticed, from 0.
    package let offset: Int

    package var description: String { "\(message) at byte \(offset)" }
}
