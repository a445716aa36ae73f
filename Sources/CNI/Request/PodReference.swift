/// The pod that a container belongs to, as Kubernetes' runtimes name it in CNI_ARGS.
package struct PodReference: Hashable, Sendable, CustomStringConvertible {
    /// K8S_POD_NAMESPACE; 1 through 253 bytes.
    package let namespace: String
    /// K8S_POD_NAME; 1 through 253 bytes.
    package let name: String
    /// K8S_POD_UID; at most 64 bytes, empty where the runtime does not tell.
    package let uid: String

    package var description: String { "\(namespace)/\(name)" }

    /// Reads CNI_ARGS: `KEY=VALUE;KEY=VALUE`. Other keys are not for this plugin.
    /// - Returns: nil if no pod is named: the container is none of Kubernetes'.
    /// - Throws: `invalidEnvironment`.
    static func read(_ arguments: String) throws(PluginError) -> PodReference? {
        var values: [String: String] = [:]
        for pair in arguments.split(separator: ";") {
            guard let equals = pair.firstIndex(of: "=") else {
                throw PluginError(.invalidEnvironment, "CNI_ARGS has a part without '='")
            }
            let key = String(pair[..<equals])
            guard key.hasPrefix("K8S_POD_") else { continue }
            guard values.updateValue(String(pair[pair.index(after: equals)...]), forKey: key) == nil else {
                throw PluginError(.invalidEnvironment, "CNI_ARGS has \(key) twice")
            }
        }
        let namespace = values["K8S_POD_NAMESPACE"] ?? ""
        let name = values["K8S_POD_NAME"] ?? ""
        let uid = values["K8S_POD_UID"] ?? ""
        if namespace.isEmpty, name.isEmpty { return nil }
        guard isName(namespace), isName(name) else {
            throw PluginError(.invalidEnvironment, "K8S_POD_NAMESPACE and K8S_POD_NAME in CNI_ARGS name no pod")
        }
        guard uid.utf8.count <= 64, uid.isEmpty || isName(uid) else {
            throw PluginError(.invalidEnvironment, "K8S_POD_UID in CNI_ARGS is no UID")
        }
        return PodReference(namespace: namespace, name: name, uid: uid)
    }

    /// The characters of a DNS subdomain (RFC 1123), as Kubernetes has it; upper case is tolerated.
    private static func isName(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }
}
