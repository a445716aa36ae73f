import FoundationEssentials

/// The small files that the authority writes next to its certificates: JSON, whole or not at all, closed to others.
enum StateFile {
    /// Writes a file that is there whole or not at all, in place of what was there.
    static func write(_ value: some Encodable, to path: String) throws(AuthorityError) {
        do {
            // The directory is closed to others, so the moment before the mode is set harms nobody.
            try encoded(value).write(to: URL(filePath: path), options: .atomic)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        } catch {
            throw AuthorityError(.fileUnusable, "\(path) cannot be written: \(error)")
        }
    }

    /// Makes a file that must not exist yet; of several that try at once exactly one does.
    /// - Returns: false if it exists.
    static func create(_ value: some Encodable, at path: String) throws(AuthorityError) -> Bool {
        do {
            let hidden = try hiddenFile(value, beside: path)
            defer { try? FileManager.default.removeItem(atPath: hidden) }
            try FileManager.default.linkItem(atPath: hidden, toPath: path)
            return true
        } catch {
            if FileManager.default.fileExists(atPath: path) { return false }
            throw AuthorityError(.fileUnusable, "\(path) cannot be written: \(error)")
        }
    }

    /// - Throws: `fileUnusable` if it is missing, unreadable or not what it should be.
    static func read<Value: Decodable>(_ path: String) throws(AuthorityError) -> Value {
        do {
            let data = try Data(contentsOf: URL(filePath: path))
            return try JSONDecoder().decode(Value.self, from: data)
        } catch {
            throw AuthorityError(.fileUnusable, "\(path) cannot be read: \(error)")
        }
    }

    /// Nil if there is no such file.
    static func readIfPresent<Value: Decodable>(_ path: String) throws(AuthorityError) -> Value? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        return try read(path) as Value
    }

    /// - Returns: false if there was none.
    static func remove(_ path: String) throws(AuthorityError) -> Bool {
        guard FileManager.default.fileExists(atPath: path) else { return false }
        do {
            try FileManager.default.removeItem(atPath: path)
            return true
        } catch {
            throw AuthorityError(.fileUnusable, "\(path) cannot be removed: \(error)")
        }
    }

    /// The names in `directory` that end in `suffix`, without it; none if there is no such directory.
    static func names(in directory: String, suffix: String) throws(AuthorityError) -> [String] {
        guard FileManager.default.fileExists(atPath: directory) else { return [] }
        do {
            return try FileManager.default.contentsOfDirectory(atPath: directory)
                .filter { $0.hasSuffix(suffix) && !$0.hasPrefix(".") }.map { String($0.dropLast(suffix.count)) }
        } catch {
            throw AuthorityError(.fileUnusable, "\(directory) cannot be read: \(error)")
        }
    }

    /// Makes `path` with mode 0700, unless it is there.
    static func makeDirectory(_ path: String) throws(AuthorityError) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            guard FileManager.default.fileExists(atPath: path) else {
                throw AuthorityError(.fileUnusable, "\(path) cannot be made: \(error)")
            }
        }
    }

    private static func hiddenFile(_ value: some Encodable, beside path: String) throws -> String {
        let directory = URL(filePath: path).deletingLastPathComponent().path
        let hidden = "\(directory)/.new-\(String(UInt64.random(in: .min ... .max), radix: 16))"
        try encoded(value).write(to: URL(filePath: hidden), options: .atomic)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: hidden)
        return hidden
    }

    private static func encoded(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return try encoder.encode(value)
    }
}
