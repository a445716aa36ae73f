internal import Kernel

/// A message of the boundary between the keeper and its children.
///
/// Numbers are in network byte order. Texts are UTF-8 without control characters. No message is longer than
/// `MessageSocket.maxLength`; a receiver that finds anything else than this closes the connection.
///
///     0         1         2                   4
///     | version | kind    | length, all of it | fields in a fixed order ...
///     text:    length (2) | bytes
///     address: family (1: 4 or 6) | 4 or 16 bytes
package protocol KeeperMessage: Hashable, Sendable {
    /// How many descriptors travel with this message.
    var descriptorCount: Int { get }

    /// Reads the fields of a message of `kind`.
    init(kind: UInt8, reader: inout MessageReader) throws(KeeperError)

    /// Writes kind and fields.
    func write(to writer: inout MessageWriter) throws(KeeperError)
}

extension KeeperMessage {
    /// The message as bytes.
    /// - Throws: `malformedMessage` if a text, list or number is over its limit.
    package func encoded() throws(KeeperError) -> [UInt8] {
        var writer = MessageWriter()
        try write(to: &writer)
        return try writer.finish()
    }

    /// Reads a whole message.
    /// - Parameter descriptorCount: how many descriptors came with it; another number than the message asks for
    ///   is refused.
    /// - Throws: `malformedMessage`, whatever is wrong.
    package init(decoding bytes: [UInt8], descriptorCount: Int) throws(KeeperError) {
        try self.init(decodingWithoutDescriptors: bytes)
        guard self.descriptorCount == descriptorCount else {
            throw .malformed("a message that has \(self.descriptorCount) descriptors came with \(descriptorCount)")
        }
    }

    /// Reads a whole message whose descriptors were lost (`ReceivedMessage.lostDescriptors`).
    /// - Throws: `malformedMessage`, whatever is wrong.
    package init(decodingWithoutDescriptors bytes: [UInt8]) throws(KeeperError) {
        var reader = MessageReader(bytes)
        let kind = try reader.header()
        try self.init(kind: kind, reader: &reader)
        try reader.finish()
    }
}

/// The kinds of all directions, so that a message that takes the wrong way is refused.
enum MessageKind {
    static let podEnrolled: UInt8 = 0x11
    static let podWithdrawn: UInt8 = 0x12
    static let sockets: UInt8 = 0x13
    static let socketsFailed: UInt8 = 0x14
    static let drainLoop: UInt8 = 0x15
    static let requestSockets: UInt8 = 0x21
    static let podState: UInt8 = 0x31
    static let facts: UInt8 = 0x32
    static let controllerStream: UInt8 = 0x33
    static let drainWorker: UInt8 = 0x34
    static let ready: UInt8 = 0x41
    static let heartbeat: UInt8 = 0x42
    static let requestFacts: UInt8 = 0x43
    static let requestControllerStream: UInt8 = 0x44
    static let state: UInt8 = 0x45
    static let podWanted: UInt8 = 0x51
    static let podUnwanted: UInt8 = 0x52
    static let podsComplete: UInt8 = 0x53
    static let podVerdict: UInt8 = 0x54
    static let podQuestion: UInt8 = 0x61
    static let handoverHello: UInt8 = 0x71
    static let handoverClaim: UInt8 = 0x72
    static let handoverServing: UInt8 = 0x73
    static let handoverWelcome: UInt8 = 0x81
    static let handoverRefused: UInt8 = 0x82
    static let handoverAgent: UInt8 = 0x83
    static let handoverEarlier: UInt8 = 0x84
    static let handoverPod: UInt8 = 0x85
    static let handoverComplete: UInt8 = 0x86
    static let handoverYielded: UInt8 = 0x87
    static let handoverAborted: UInt8 = 0x88
}

/// The limits of what a message may hold.
package enum MessageLimits {
    /// Bytes of a workload's name in the mesh.
    package static let uid = 512
    /// Bytes of a namespace's or pod's name (RFC 1123 subdomain).
    package static let name = 253
    /// Bytes of a pod's Kubernetes UID.
    package static let podUID = 64
    /// Bytes of the text that explains a pod's state.
    package static let detail = 200
    /// Addresses of a pod.
    package static let addresses = 8
    /// Inbound ports that a pod keeps to itself.
    package static let excludedPorts = 64
    /// Destinations that a pod reaches directly.
    package static let excludedDestinations = 64
    /// Sockets in one batch.
    package static let sockets = MessageSocket.maxDescriptors
    /// Bytes of a path in the file system.
    package static let path = 4096
    /// Bytes of the container runtime's name for a sandbox.
    package static let containerID = 256
    /// Connections in one message.
    package static let connections = 128
    /// Connections from before its capture that a pod's report names.
    package static let reportedConnections = 32
    /// Cgroups of agents that are exempt at the same time.
    package static let agents = 16
    /// Bytes of the state that a worker leaves.
    package static let stateBytes = 256 << 20
    /// A day; a longer drain is none.
    package static let drainMilliseconds: UInt32 = 86_400_000
}

extension KeeperError {
    static func malformed(_ what: String) -> KeeperError {
        KeeperError(.malformedMessage, "malformed message: \(what)")
    }
}
