import Mesh

extension WaypointExceptions {
    /// Reads `meshnode.dev/waypoint-exempt-ports` and `meshnode.dev/waypoint-exempt-accounts` (`NAME` or
    /// `NAMESPACE/NAME`) of a pod.
    init(annotationsOf object: ObjectFields) {
        self.init()
        guard let annotations = object.root["metadata"]?.mapping()?["annotations"]?.mapping() else { return }
        ports =
            annotations["meshnode.dev/waypoint-exempt-ports"]?.commaSeparated("ports from 1 through 65535") {
                parsePort($0)
            } ?? []
        serviceAccounts =
            annotations["meshnode.dev/waypoint-exempt-accounts"]?.commaSeparated(
                "service accounts, as NAME or NAMESPACE/NAME"
            ) { text in
                let parts = text.split(separator: "/", omittingEmptySubsequences: false)
                guard (1...2).contains(parts.count), let name = parts.last,
                    parts.allSatisfy({ !$0.isEmpty && !$0.contains("*") })
                else { return nil }
                let namespace = parts.count == 2 ? String(parts[0]) : object.metadata.namespace
                return NamespacedName(namespace: namespace, name: String(name))
            } ?? []
    }
}

extension Field {
    /// The values of a text that is a list; each that cannot be read is an error.
    ///
    /// - Parameter what: what the list must hold, for the error.
    func commaSeparated<Value>(_ what: String, _ parse: (Substring) -> Value?) -> [Value] {
        let items = (string() ?? "").split(separator: ",").map { $0.trimmingBlanks() }.filter { !$0.isEmpty }
        return items.compactMap { item in
            if let value = parse(item) { return value }
            error("must be \(what), separated by commas; \(quoted(String(item))) is not")
            return nil
        }
    }
}
