/// Why something of the control channel could not be said or understood.
package struct XDSError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The closed list of causes; safe as a metric label.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        /// A resource says something that cannot be, such as an address of three bytes.
        case invalidResource
        /// A resource says something that this version does not know, such as a new enum value.
        case unsupportedResource
        /// A value of ours has no form on the wire.
        case notRepresentable
        /// The bytes are no protobuf message of the expected type.
        case malformedMessage
        /// A frame claims more bytes than allowed.
        case frameTooLong
    }

    /// The cause.
    package let code: Code
    /// What failed and for which resource, for an operator to read.
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
