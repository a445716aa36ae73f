/// How the plugin and the agent talk: one frame each way on a stream socket.
///
/// Numbers are in network byte order.
///
///     0             4                    8
///     | "MNQ1"      | length, all of it  | 5 texts: length (2), bytes | the configuration, to the end
///     | "MNA1"      | length, all of it  | exit status (1)            | the output, to the end
///
/// The texts are CNI_COMMAND, CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME and CNI_ARGS.
package enum PluginFrame {
    /// Bytes of the longest frame: a configuration of the most bytes, and the texts.
    package static let longest = JSONReader.longest + 5 * (2 + longestText) + headerLength
    /// Bytes of a text.
    package static let longestText = 4096
    /// Bytes in front of a frame's own.
    package static let headerLength = 8

    private static let question = Array("MNQ1".utf8)
    private static let answer = Array("MNA1".utf8)

    /// The plugin's frame.
    /// - Throws: `invalidEnvironment` or `undecodable` for what is too long.
    package static func encode(_ invocation: PluginInvocation) throws(PluginError) -> [UInt8] {
        guard invocation.configuration.count <= JSONReader.longest else {
            throw PluginError(.undecodable, "the network configuration is longer than \(JSONReader.longest) bytes")
        }
        var body: [UInt8] = []
        for text in [
            invocation.command, invocation.containerID, invocation.namespacePath, invocation.interfaceName,
            invocation.arguments,
        ] {
            let utf8 = Array(text.utf8)
            guard utf8.count <= longestText else {
                throw PluginError(.invalidEnvironment, "a variable is longer than \(longestText) bytes")
            }
            body += [UInt8(truncatingIfNeeded: utf8.count >> 8), UInt8(truncatingIfNeeded: utf8.count)] + utf8
        }
        return framed(question, body + invocation.configuration)
    }

    /// The agent's frame.
    package static func encode(_ plainAnswer: PluginAnswer) -> [UInt8] {
        framed(answer, [plainAnswer.exitStatus] + plainAnswer.output)
    }

    private static func framed(_ magic: [UInt8], _ body: [UInt8]) -> [UInt8] {
        let length = UInt32(clamping: headerLength + body.count)
        return magic + (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) } + body
    }
}

extension PluginFrame {
    /// What the bytes that came so far are.
    package enum Reading<Content: Sendable>: Sendable {
        /// The frame is not complete.
        case incomplete
        case complete(Content)
        /// It is not what was agreed; why.
        case malformed(String)
    }

    /// What the plugin sent so far.
    package static func readInvocation(_ bytes: [UInt8]) -> Reading<PluginInvocation> {
        read(bytes, question) { body in
            var rest = body
            var texts: [String] = []
            for _ in 0..<5 {
                guard let high = rest.popFirst(), let low = rest.popFirst() else { return nil }
                let count = Int(high) << 8 | Int(low)
                guard count <= longestText, count <= rest.count,
                    let text = String(validating: rest.prefix(count), as: UTF8.self)
                else { return nil }
                texts.append(text)
                rest = rest.dropFirst(count)
            }
            return PluginInvocation(
                command: texts[0], containerID: texts[1], namespacePath: texts[2], interfaceName: texts[3],
                arguments: texts[4], configuration: Array(rest))
        }
    }

    /// What the agent sent so far.
    package static func readAnswer(_ bytes: [UInt8]) -> Reading<PluginAnswer> {
        read(bytes, answer) { body in
            guard let status = body.first else { return nil }
            return PluginAnswer(output: Array(body.dropFirst()), exitStatus: status)
        }
    }

    private static func read<Content>(
        _ bytes: [UInt8], _ magic: [UInt8], _ content: (ArraySlice<UInt8>) -> Content?
    ) -> Reading<Content> {
        guard magic.starts(with: bytes.prefix(magic.count)) else { return .malformed("another kind of frame") }
        guard bytes.count >= headerLength else { return .incomplete }
        let length = bytes[4..<headerLength].reduce(0) { $0 << 8 | Int($1) }
        guard (headerLength...longest).contains(length) else { return .malformed("a frame of \(length) bytes") }
        guard bytes.count <= length else { return .malformed("bytes behind the frame") }
        guard bytes.count == length else { return .incomplete }
        guard let result = content(bytes[headerLength...]) else { return .malformed("fields that do not fit") }
        return .complete(result)
    }
}
