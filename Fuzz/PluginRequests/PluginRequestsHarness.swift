import CNI

/// What the CNI plugin sends to the agent: the frame, the variables, the network configuration, the previous result.
///
/// An input is the frame without its first eight bytes, which it is given, or with the first byte 0 a whole frame.
enum PluginRequestsHarness {
    /// What is wrong with what was made of `input`; nil: nothing.
    static func fault(in input: [UInt8]) -> String? {
        guard let first = input.first else { return nil }
        let body = Array(input.dropFirst())
        let frame = first == 0 ? body : framed(body)
        _ = PluginFrame.readAnswer(frame)
        if let value = try? JSONReader.read(body) {
            guard let again = try? JSONReader.read(value.encoded) else {
                return "what was read is not to be read again"
            }
            if again.encoded != value.encoded { return "what was read is written in two ways" }
        }
        guard case .complete(let invocation) = PluginFrame.readInvocation(frame) else { return nil }
        guard (try? PluginFrame.encode(invocation)) == frame else { return "the frame is written otherwise" }
        _ = PluginCourse(invocation)
        guard let request = try? PluginRequest(invocation) else { return nil }
        _ = request.configuration.previousResult?.addresses(in: request.namespacePath)
        return nil
    }

    private static func framed(_ body: [UInt8]) -> [UInt8] {
        let length = UInt32(clamping: body.count + PluginFrame.headerLength)
        return Array("MNQ1".utf8) + (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) } + body
    }
}
