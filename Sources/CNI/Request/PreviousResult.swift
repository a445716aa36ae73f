package import Addressing

/// What the plugins before this one in the chain made: the result of an ADD is that, untouched.
package struct PreviousResult: Equatable, Sendable {
    /// One address of an interface.
    private struct Assignment: Equatable, Sendable {
        let address: IPAddress
        /// Where the interface is; nil if the result does not say.
        let sandbox: String?
    }

    /// The bytes as they came.
    package let verbatim: [UInt8]
    private let assignments: [Assignment]

    /// - Throws: `invalidConfiguration`.
    init(_ value: JSONValue, verbatim: [UInt8]) throws(PluginError) {
        self.verbatim = verbatim
        guard value.members != nil else { throw Self.malformed("prevResult is no object") }
        let sandboxes = try Self.list(value, "interfaces").map { $0["sandbox"]?.text }
        var assignments: [Assignment] = []
        for entry in try Self.list(value, "ips") {
            guard let text = entry["address"]?.text, let address = Self.address(text) else {
                throw Self.malformed("an address in prevResult")
            }
            assignments.append(Assignment(address: address, sandbox: try Self.sandbox(entry["interface"], sandboxes)))
        }
        self.assignments = assignments
    }

    /// The addresses that the namespace at `path` was given, each once, in their order: those of interfaces there, and
    /// those of no interface.
    package func addresses(in path: String) -> [IPAddress] {
        var seen: Set<IPAddress> = []
        return assignments.filter { $0.sandbox == nil || $0.sandbox == path }.map(\.address)
            .filter { seen.insert($0).inserted }
    }

    private static func list(_ value: JSONValue, _ name: String) throws(PluginError) -> [JSONValue] {
        guard let member = value[name], member != .null else { return [] }
        guard let elements = member.elements else { throw malformed("\(name) of prevResult is no list") }
        guard elements.count <= 256 else { throw malformed("\(name) of prevResult is too long") }
        return elements
    }

    /// `10.1.0.5/16`, or without the length.
    private static func address(_ text: String) -> IPAddress? {
        guard let slash = text.firstIndex(of: "/") else { return IPAddress(text) }
        guard let address = IPAddress(text[..<slash]), let length = Int(text[text.index(after: slash)...]),
            (0...address.bitWidth).contains(length)
        else { return nil }
        return address
    }

    private static func sandbox(_ index: JSONValue?, _ sandboxes: [String?]) throws(PluginError) -> String? {
        guard let index, index != .null else { return nil }
        guard case .number(let text) = index, let number = Int(text), sandboxes.indices.contains(number) else {
            throw malformed("an address in prevResult is of an interface that is not there")
        }
        // An interface without a sandbox is on the host.
        return sandboxes[number] ?? ""
    }

    private static func malformed(_ what: String) -> PluginError {
        PluginError(
            .invalidConfiguration,
            "\(what): the plugin before this one in the chain does not follow the specification")
    }
}
