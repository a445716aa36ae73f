/// One value of a YAML or JSON document and where it stands.
package struct ManifestNode: Hashable, Sendable {
    /// What YAML knows, scalars not yet read as any type.
    package indirect enum Value: Hashable, Sendable {
        case null
        /// `isPlain`: written without quotes, so that it may mean a number or a truth value.
        case scalar(String, isPlain: Bool)
        case sequence([ManifestNode])
        /// In the order of the file; no key twice.
        case mapping([Entry])
    }

    /// One key of a mapping and its value.
    package struct Entry: Hashable, Sendable {
        package var key: String
        /// Line of the key in the file, from 1.
        package var keyLine: Int
        package var value: ManifestNode

        package init(key: String, keyLine: Int, value: ManifestNode) {
            self.key = key
            self.keyLine = keyLine
            self.value = value
        }
    }

    package var value: Value
    /// From 1.
    package var line: Int
    /// From 1, counted in Unicode scalars.
    package var column: Int

    package init(value: Value, line: Int, column: Int) {
        self.value = value
        self.line = line
        self.column = column
    }

    package var isNull: Bool { value == .null }

    /// The value of `key` if this is a mapping that has it.
    package subscript(key: String) -> ManifestNode? {
        guard case .mapping(let entries) = value else { return nil }
        return entries.first { $0.key == key }?.value
    }
}

/// What a file may be at most; more is refused before it costs memory.
package enum ManifestLimits {
    /// Size of a file in bytes.
    package static let fileSize = 4 << 20
    /// Levels of nesting; Kubernetes objects have about a dozen.
    package static let depth = 64
    /// Values in one file.
    package static let nodes = 400_000
}
