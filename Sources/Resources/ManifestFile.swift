package import Mesh

/// What one file of manifests holds.
package struct ManifestFile: Hashable, Sendable {
    /// Which objects the file may still hold although they are not among its entries.
    package enum Withheld: Hashable, Sendable {
        /// Those of these names: a document of that name has a kind that is not known.
        case named(Set<NamespacedName>)
        /// Any: the file, or a document of it, could not be told.
        case any
    }

    /// Its objects in the order of the file, each key once.
    package var entries: [ManifestEntry]
    package var withheld: Withheld
    package var problems: [ManifestProblem]
    /// Where each object was first seen.
    private var lines: [ManifestKey: Int] = [:]

    package init(entries: [ManifestEntry] = [], withheld: Withheld = .named([]), problems: [ManifestProblem] = []) {
        self.entries = entries
        self.withheld = withheld
        self.problems = problems
    }

    /// Whether an object that the file held before and no longer shows must stay in force.
    package func mayStillHold(_ key: ManifestKey) -> Bool {
        switch withheld {
        case .any: true
        case .named(let names): names.contains(key.namespacedName)
        }
    }
}

extension ManifestFile {
    /// Reads a file: YAML with any number of documents, or JSON; lists are taken apart.
    ///
    /// - Parameters:
    ///   - bytes: the file's content, at most `ManifestLimits.fileSize`.
    ///   - file: the name that problems carry.
    package init(bytes: [UInt8], file: String) {
        self.init()
        do {
            for document in try ManifestDocuments.read(bytes) { read(document, path: "", file: file) }
        } catch {
            // Whatever preceded the error may be half of what was meant: the file is refused as one.
            self.init(
                withheld: .any, problems: [ManifestProblem(file: file, line: error.line, reason: error.reason)])
        }
    }

    /// A file that could not be read at all; whatever it held stays in force.
    package init(unreadable reason: String, file: String) {
        self.init(withheld: .any, problems: [ManifestProblem(file: file, reason: reason)])
    }

    private mutating func read(_ document: ManifestNode, path: String, file: String) {
        let log = ProblemLog(file: file)
        defer { problems += log.problems }
        let field = Field(node: document, path: path, log: log)
        guard let root = field.mapping(), let version = root.required("apiVersion")?.string(),
            let kind = root.required("kind")?.string()
        else {
            withheld = .any
            return
        }
        if version == "v1", kind.hasSuffix("List") {
            guard let items = root.required("items")?.items() else {
                withheld = .any
                return
            }
            for item in items { read(item.node, path: item.path, file: file) }
            return
        }
        switch KindOfDocument(apiVersion: version, kind: kind) {
        case .read(let kind): readObject(field, root: root, kind: kind)
        case .ignored: break
        case .unsupported:
            root["kind"]?.warn(
                "\(quoted(kind)) is not acted on by this version; the object is ignored", topic: .unknownKind)
        case .unknown:
            root["kind"]?.warn(
                "\(quoted(kind)) is not a kind of \(quoted(version)): check the spelling; it is ignored",
                topic: .unknownKind)
            withhold(root)
        }
    }

    /// A document of an unknown kind may be an object we know, misspelt: that object must not vanish.
    private mutating func withhold(_ root: Fields) {
        guard case .named(let names) = withheld, let metadata = root["metadata"]?.node,
            case .scalar(let name, _) = metadata["name"]?.value
        else { return }
        var namespaces = ["", "default"]
        if case .scalar(let namespace, _) = metadata["namespace"]?.value { namespaces = ["", namespace] }
        withheld = .named(names.union(namespaces.map { NamespacedName(namespace: $0, name: name) }))
    }

    private mutating func readObject(_ field: Field, root: Fields, kind: ManifestKind) {
        field.log.object = kind.rawValue
        guard let key = key(root, kind: kind) else {
            withheld = .any
            return
        }
        field.log.object = key.description
        if let line = lines[key] {
            field.error("is in this file twice; the first, in line \(line), is in force: remove one")
            return
        }
        lines[key] = field.node.line
        let object = ManifestObject.decode(field, key: key)
        entries.append(ManifestEntry(key: key, line: field.node.line, object: object))
    }

    private func key(_ root: Fields, kind: ManifestKind) -> ManifestKey? {
        guard let metadata = root.required("metadata")?.mapping(),
            let name = kind == .namespace
                ? metadata.required("name")?.namespaceName() : metadata.required("name")?.objectName()
        else { return nil }
        guard kind.isNamespaced else { return ManifestKey(kind: kind, namespace: "", name: name) }
        guard let namespaceField = metadata["namespace"] else {
            return ManifestKey(kind: kind, namespace: "default", name: name)
        }
        guard let namespace = namespaceField.namespaceName() else { return nil }
        return ManifestKey(kind: kind, namespace: namespace, name: name)
    }
}

/// What is to be done with a document, by its apiVersion and kind.
private enum KindOfDocument {
    case read(ManifestKind)
    /// Somebody else's.
    case ignored
    case unsupported
    case unknown

    init(apiVersion: String, kind: String) {
        let parts = apiVersion.split(separator: "/", omittingEmptySubsequences: false)
        let group = parts.count == 2 ? String(parts[0]) : ""
        switch (group, kind) {
        case ("", "Namespace"), ("", "Node"), ("", "Pod"), ("", "Service"), ("", "ServiceAccount"),
            ("discovery.k8s.io", "EndpointSlice"), ("security.istio.io", "AuthorizationPolicy"),
            ("security.istio.io", "PeerAuthentication"), ("meshnode.dev", "AuthorizationPolicy"),
            ("meshnode.dev", "PeerAuthentication"), ("meshnode.dev", "MeshPolicy"):
            self = ManifestKind(rawValue: kind).map { .read($0) } ?? .unknown
        case ("", _): self = KnownFields.otherCoreKinds.contains(kind) ? .ignored : .unknown
        case ("security.istio.io", _), ("meshnode.dev", _):
            self = KnownFields.unsupportedKinds.contains(kind) ? .unsupported : .unknown
        default: self = .ignored
        }
    }
}
