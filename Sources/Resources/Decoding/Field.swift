/// The problems of one object, as its decoder finds them.
final class ProblemLog {
    let file: String
    var object: String?
    private(set) var problems: [ManifestProblem] = []

    init(file: String, object: String? = nil) {
        self.file = file
        self.object = object
    }

    var hasErrors: Bool { problems.contains { $0.severity == .error } }

    func add(
        _ severity: ManifestProblem.Severity, line: Int, field: String, _ reason: String,
        topic: ManifestProblem.Topic = .other
    ) {
        problems.append(
            ManifestProblem(
                file: file, line: line, field: field, reason: reason, severity: severity, object: object, topic: topic))
    }
}

/// One value of the object that is being decoded, with its path. Readers return nil after they have reported why.
struct Field {
    let node: ManifestNode
    let path: String
    let log: ProblemLog

    func error(_ reason: String) { log.add(.error, line: node.line, field: path, reason) }

    func warn(_ reason: String, topic: ManifestProblem.Topic = .other) {
        log.add(.warning, line: node.line, field: path, reason, topic: topic)
    }

    /// The value as a mapping. Keys that are not in `known` are reported with severity `unknown`, or accepted if
    /// `known` is nil.
    func mapping(knowing known: Set<String>? = nil, unknown: ManifestProblem.Severity = .warning) -> Fields? {
        guard case .mapping(let entries) = node.value else {
            error("must be a mapping of field names to values")
            return nil
        }
        for entry in entries {
            guard let known, !known.contains(entry.key) else { continue }
            let hint =
                unknown == .error
                ? "the object is refused, since ignoring it could widen the policy" : "it is ignored"
            log.add(
                unknown, line: entry.keyLine, field: join(path, safe(entry.key)),
                "is not a known field; \(hint): check the spelling and the indentation", topic: .unknownField)
        }
        let children = entries.filter { !$0.value.isNull }.map { entry in
            (entry.key, Field(node: entry.value, path: join(path, safe(entry.key)), log: log))
        }
        let nulls = entries.filter { $0.value.isNull }.map { ($0.key, $0.keyLine) }
        return Fields(
            children: Dictionary(children) { first, _ in first }, order: children.map(\.0),
            nulls: Dictionary(nulls) { first, _ in first }, field: self)
    }

    /// The value as a list.
    func items() -> [Field]? {
        guard case .sequence(let nodes) = node.value else {
            error("must be a list (lines that begin with \"- \")")
            return nil
        }
        return nodes.enumerated().map { index, node in Field(node: node, path: "\(path)[\(index)]", log: log) }
    }

    private func join(_ path: String, _ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    /// Keys of labels and annotations stay readable; what is no plain name is quoted.
    private func safe(_ key: String) -> String {
        key.utf8.count <= 80 && key.utf8.allSatisfy { (0x21...0x7e).contains($0) } ? key : quoted(key)
    }
}

/// The fields of a mapping by name; those that are null count as absent, as in Kubernetes.
struct Fields {
    fileprivate let children: [String: Field]
    /// The names of the fields that have a value, in the order of the file.
    let order: [String]
    /// The line of each field that is there without a value.
    let nulls: [String: Int]
    /// The mapping itself.
    let field: Field

    fileprivate init(children: [String: Field], order: [String], nulls: [String: Int], field: Field) {
        self.children = children
        self.order = order
        self.nulls = nulls
        self.field = field
    }

    subscript(name: String) -> Field? { children[name] }

    /// A field that must be there; its absence is reported.
    func required(_ name: String) -> Field? {
        if let child = children[name] { return child }
        let line = nulls[name] ?? field.node.line
        field.log.add(.error, line: line, field: field.path.isEmpty ? name : "\(field.path).\(name)", "is missing")
        return nil
    }
}
