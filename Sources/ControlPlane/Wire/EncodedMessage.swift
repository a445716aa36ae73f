internal import GRPCCore
internal import SwiftProtobuf
internal import XDS

/// A message as bytes: encoded once, where its sender is, so that its size counts from then on.
struct EncodedMessage: Hashable, Sendable {
    let bytes: [UInt8]

    /// - Throws: `notRepresentable` or `frameTooLong`.
    init(_ message: some Message, limit: Int) throws(XDSError) {
        do {
            bytes = try message.serializedBytes()
        } catch {
            throw XDSError(.notRepresentable, "a message cannot be encoded: \(error)")
        }
        guard bytes.count <= limit else {
            throw XDSError(.frameTooLong, "a message of \(bytes.count) bytes is longer than \(limit)")
        }
    }
}

/// Passes bytes on.
struct EncodedMessageSerializer: MessageSerializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: EncodedMessage) throws -> Bytes {
        Bytes(message.bytes)
    }
}
