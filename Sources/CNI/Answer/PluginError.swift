/// A refusal, as a runtime is told it (CNI specification 1.1, section 5, "Error").
package struct PluginError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Those of the specification, and from 100 on the plugin's own.
    package enum Code: Int, Hashable, Sendable {
        case incompatibleVersion = 1
        case invalidEnvironment = 4
        /// The agent's answer cannot be read.
        case inputOutput = 5
        case undecodable = 6
        case invalidConfiguration = 7
        case tryAgainLater = 11
        /// Answer to STATUS: an ADD would fail.
        case notAvailable = 50
        /// The pod is to be captured and cannot be: it must not start.
        case notCaptured = 100
        /// Answer to CHECK: the pod is not captured as it should be.
        case checkFailed = 101
    }

    package let code: Code
    /// What failed, for whom, and what to do.
    package let message: String
    /// More of it; may be empty.
    package let details: String

    package init(_ code: Code, _ message: String, details: String = "") {
        self.code = code
        self.message = message
        self.details = details
    }

    package var description: String { details.isEmpty ? message : "\(message) (\(details))" }

    /// As the runtime reads it.
    func encoded(_ version: SpecificationVersion) -> [UInt8] {
        var members = [
            JSONMember("cniVersion", .string(version.rawValue)), JSONMember("code", .number("\(code.rawValue)")),
            JSONMember("msg", .string(message)),
        ]
        if !details.isEmpty { members.append(JSONMember("details", .string(details))) }
        return JSONValue.object(members).encoded
    }
}
