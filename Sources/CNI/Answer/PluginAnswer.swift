/// What the plugin prints, and the status with which it ends.
package struct PluginAnswer: Equatable, Sendable {
    /// For the standard output.
    package let output: [UInt8]
    /// 0 through 255; 0 is success.
    package let exitStatus: UInt8

    init(output: [UInt8], exitStatus: UInt8) {
        self.output = output
        self.exitStatus = exitStatus
    }

    /// Done, with nothing to say: DEL, CHECK, GC and STATUS.
    package static let success = PluginAnswer(output: [], exitStatus: 0)

    /// Refused.
    package static func failure(_ error: PluginError, _ version: SpecificationVersion = .newest) -> PluginAnswer {
        PluginAnswer(output: error.encoded(version), exitStatus: 1)
    }

    /// What succeeds for `request`: an ADD passes on what the plugins before made, as it came.
    package static func success(of request: PluginRequest) -> PluginAnswer {
        guard request.command == .add, let result = request.configuration.previousResult else { return success }
        return PluginAnswer(output: result.verbatim, exitStatus: 0)
    }

    /// The answer to VERSION. Its input has a version at most; one that is not spoken here is answered in the newest.
    static func versions(_ configuration: [UInt8]) -> PluginAnswer {
        let asked = (try? JSONReader.read(configuration))?["cniVersion"]?.text
        let version = asked.flatMap { SpecificationVersion(rawValue: $0) } ?? .newest
        let supported = SpecificationVersion.allCases.map { JSONValue.string($0.rawValue) }
        let value = JSONValue.object([
            JSONMember("cniVersion", .string(version.rawValue)), JSONMember("supportedVersions", .array(supported)),
        ])
        return PluginAnswer(output: value.encoded, exitStatus: 0)
    }
}
