import Yams

/// Why a file could not be read as YAML.
struct DocumentError: Error, Equatable {
    /// From 1; 0 if unknown.
    var line: Int
    var reason: String
}

/// Reads a file's text into positioned nodes, one per YAML document.
enum ManifestDocuments {
    /// - Parameter bytes: the file, UTF-8; JSON is YAML too.
    /// - Throws: if it is no YAML, or YAML that is not accepted here: anchors and aliases (a few lines of them
    ///   expand to gigabytes), explicit tags, duplicate keys, keys that are no text, or beyond `ManifestLimits`.
    static func read(_ bytes: [UInt8]) throws(DocumentError) -> [ManifestNode] {
        guard bytes.count <= ManifestLimits.fileSize else {
            throw DocumentError(line: 0, reason: "is larger than 4 MiB: split it into several files")
        }
        // Yams keeps a pointer to the text's storage, which a string of 15 bytes or less does not have.
        let padded = bytes.count < 16 ? bytes + Array(repeating: UInt8(ascii: "\n"), count: 16) : bytes
        guard let text = String(validating: padded, as: UTF8.self) else {
            throw DocumentError(line: 0, reason: "is not UTF-8 text: save it as UTF-8")
        }
        try refuseAliases(in: text, bytes: padded)
        return try compose(text)
    }

    /// Finds aliases without expanding one. Yams shares what an alias stands for, but hashes keys by value, so an
    /// alias in a key can cost exponential time. In a copy whose anchors are spelled as tags every alias is
    /// undefined, and the parser stops at the first.
    private static func refuseAliases(in text: String, bytes: [UInt8]) throws(DocumentError) {
        guard bytes.contains(UInt8(ascii: "&")), bytes.contains(UInt8(ascii: "*")) else { return }
        let probe = bytes.map { $0 == UInt8(ascii: "&") ? UInt8(ascii: "!") : $0 }
        guard let probeText = String(validating: probe, as: UTF8.self) else { return }
        do {
            let parser = try Parser(yaml: probeText, resolver: .basic, encoding: .utf8)
            while try parser.nextRoot() != nil {}
        } catch {
            throw DocumentError(error, text: text)
        }
    }

    private static func compose(_ text: String) throws(DocumentError) -> [ManifestNode] {
        var converter = NodeConverter()
        var documents: [ManifestNode] = []
        do {
            // The anchors of nodes live only as long as the parser does.
            let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
            while let root = try parser.nextRoot() {
                let document = try converter.convert(root, depth: 0)
                if !document.isNull { documents.append(document) }
            }
            withExtendedLifetime(parser) {}
        } catch let error as DocumentError {
            throw error
        } catch {
            throw DocumentError(error, text: text)
        }
        return documents
    }
}

/// Turns the parser's nodes into ours, refusing what manifests must not hold.
private struct NodeConverter {
    private var nodeCount = 0

    mutating func convert(_ node: Node, depth: Int) throws(DocumentError) -> ManifestNode {
        let line = node.mark?.line ?? 0
        nodeCount += 1
        guard nodeCount <= ManifestLimits.nodes else {
            throw DocumentError(line: line, reason: "holds more than 400,000 values: split it into several files")
        }
        guard depth <= ManifestLimits.depth else {
            throw DocumentError(line: line, reason: "is nested deeper than 64 levels")
        }
        guard node.anchor == nil else { throw .aliases(line: line) }
        try checkTag(of: node, line: line)
        return ManifestNode(
            value: try value(of: node, depth: depth, line: line), line: line, column: node.mark?.column ?? 0)
    }

    private mutating func value(of node: Node, depth: Int, line: Int) throws(DocumentError) -> ManifestNode.Value {
        switch node {
        case .alias: throw .aliases(line: line)
        case .scalar(let scalar):
            let isPlain = scalar.style == .plain
            let isNull = isPlain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
            return isNull ? .null : .scalar(scalar.string, isPlain: isPlain)
        case .sequence(let items):
            var result: [ManifestNode] = []
            for item in items { result.append(try convert(item, depth: depth + 1)) }
            return .sequence(result)
        case .mapping(let pairs):
            return .mapping(try entries(of: pairs, depth: depth))
        }
    }

    private mutating func entries(
        of pairs: Node.Mapping, depth: Int
    ) throws(DocumentError) -> [ManifestNode.Entry] {
        var result: [ManifestNode.Entry] = []
        var seen: Set<String> = []
        for (key, value) in pairs {
            let line = key.mark?.line ?? 0
            guard case .scalar(let scalar) = key else {
                throw DocumentError(line: line, reason: "has a key that is not text")
            }
            _ = try convert(key, depth: depth + 1)
            guard seen.insert(scalar.string).inserted else { throw .duplicateKey(scalar.string, line: line) }
            let converted = try convert(value, depth: depth + 1)
            result.append(ManifestNode.Entry(key: scalar.string, keyLine: line, value: converted))
        }
        return result
    }

    private func checkTag(of node: Node, line: Int) throws(DocumentError) {
        let standard = "tag:yaml.org,2002:"
        let tag = node.tag.description
        let known = ["str", "map", "seq", "int", "bool", "float", "null", "timestamp"].map { standard + $0 }
        guard known.contains(tag) else {
            throw DocumentError(line: line, reason: "uses the YAML tag \(quoted(tag)), which manifests must not")
        }
    }
}

extension DocumentError {
    static func aliases(line: Int) -> DocumentError {
        DocumentError(line: line, reason: "uses a YAML anchor or alias, which is refused: write the value out")
    }

    static func duplicateKey(_ key: String, line: Int) -> DocumentError {
        DocumentError(line: line, reason: "has the key \(quoted(key)) twice in one mapping: remove one")
    }

    fileprivate init(_ error: any Error, text: String) {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _):
            self.init(line: mark.line, reason: "is not valid YAML: \(problem)")
        case .composer(_, _, let mark, _):
            self = .aliases(line: mark.line)
        case .duplicatedKeysInMapping(let duplicates, let context):
            self = .duplicateKey(duplicates.first ?? "", line: context.mark.line)
        case .reader(let problem, let offset, _, _):
            let line = offset.map { text.prefix($0).count { $0.isNewline } + 1 }
            self.init(line: line ?? 0, reason: "is not valid YAML: \(problem)")
        default:
            self.init(line: 0, reason: "is not valid YAML")
        }
    }
}
