import FoundationEssentials
import SwiftProtobuf

/// Messages inside `google.protobuf.Any`, encoded alike every time so that a hash of the bytes is a version.
enum AnyResource {
    /// The type URL of a message: `type.googleapis.com/` and its full name.
    static func typeURL(of type: (some Message).Type) -> String { "type.googleapis.com/\(type.protoMessageName)" }

    static func pack(_ message: some Message) throws(XDSError) -> Google_Protobuf_Any {
        var any = Google_Protobuf_Any()
        any.typeURL = typeURL(of: type(of: message))
        var options = BinaryEncodingOptions()
        options.useDeterministicOrdering = true
        do {
            any.value = try message.serializedBytes(options: options)
        } catch {
            throw XDSError(.notRepresentable, "\(type(of: message).protoMessageName) cannot be encoded: \(error)")
        }
        return any
    }

    /// Nil if it is of another type or malformed.
    static func unpack<Content: Message>(_ any: Google_Protobuf_Any, as type: Content.Type) -> Content? {
        guard any.typeURL == typeURL(of: type) else { return nil }
        return try? Content(serializedBytes: any.value)
    }
}
