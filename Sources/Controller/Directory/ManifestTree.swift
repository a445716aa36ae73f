import Kernel
import Resources

/// Reads manifests from a directory and everything below it into a catalogue.
///
/// Names that begin with a dot are skipped: editors and Kubernetes' volumes keep their working copies there.
struct ManifestTree {
    let root: String
    var catalogue = DirectoryCatalogue()
    /// What could not be listed, by path.
    private var unlistable: [String: ManifestProblem] = [:]
    /// What the catalogue has of each file: the same bytes mean the same, and parsing them is what costs.
    private var fingerprints: [String: Fingerprint] = [:]

    private static let maxDepth = 32

    init(root: String) { self.root = root }

    /// Problems of the tree itself, besides the catalogue's.
    var problems: [ManifestProblem] { unlistable.values.sorted() }

    /// Reads everything below the root anew.
    mutating func readAll() { readDirectory(root) }

    /// Reads what changed paths stand for, each once: the hidden names of many changes may stand for one directory.
    mutating func read(changed paths: Set<String>) {
        for path in Set(paths.map { visiblePart(of: $0) }).sorted() { read(changed: path) }
    }

    /// Reads what a changed path stands for: a file, a directory, or what is gone.
    mutating func read(changed path: String) {
        guard path != root else { return readAll() }
        let visible = visiblePart(of: path)
        // A hidden name that changes may be what visible links lead through.
        guard visible == path else { return readDirectory(visible) }
        if Files.status(path)?.isDirectory == true { return readDirectory(path) }
        if Self.isManifest(path) { readFile(path) }
        let below = { (known: String) in known.hasPrefix(path + "/") }
        if unlistable[path] != nil || catalogue.paths.contains(where: below) || unlistable.keys.contains(where: below) {
            readDirectory(path)
        }
    }

    /// `path` up to, without, its first hidden name.
    private func visiblePart(of path: String) -> String {
        var visible = root
        for name in path.dropFirst(root.count).split(separator: "/") {
            if name.hasPrefix(".") { return visible }
            visible = "\(visible)/\(name)"
        }
        return visible
    }

    private static func isManifest(_ path: String) -> Bool {
        [".yaml", ".yml", ".json"].contains { path.hasSuffix($0) }
    }

    private mutating func readDirectory(_ path: String) {
        var walk = Walk()
        visit(path, depth: 0, walk: &walk)
        let isBelow = { (known: String, directory: String) in known.hasPrefix(directory + "/") }
        unlistable = unlistable.filter { !(isBelow($0.key, path) || $0.key == path) || walk.hidden.contains($0.key) }
        for known in catalogue.paths where isBelow(known, path) && !walk.found.contains(known) {
            // What lies in a directory that cannot be seen may still be there.
            if !walk.hidden.contains(where: { isBelow(known, $0) }) { forget(known) }
        }
    }

    /// What one pass over directories met.
    private struct Walk {
        var found: Set<String> = []
        var hidden: [String] = []
        /// Directories seen, so that links in a circle end.
        var visited: Set<FileStatus> = []
    }

    private mutating func visit(_ path: String, depth: Int, walk: inout Walk) {
        guard depth <= Self.maxDepth else { return }
        let names: [String]
        do {
            guard let status = Files.status(path), status.isDirectory else {
                // Missing, or a file by now; only a directory that is there and not to be seen keeps its objects.
                if isUnseen(path) { walk.hidden.append(path) }
                return
            }
            guard walk.visited.insert(status).inserted else { return }
            names = try Files.list(path)
        } catch {
            if error.isMissingFile { return }
            walk.hidden.append(path)
            unlistable[path] = ManifestProblem(
                file: path,
                reason: "cannot be listed (\(error)); what was read before stays in force: check its owner and mode")
            return
        }
        for name in names.sorted() where !name.hasPrefix(".") {
            let child = "\(path)/\(name)"
            if Files.status(child)?.isDirectory == true {
                visit(child, depth: depth + 1, walk: &walk)
            } else if Self.isManifest(name) {
                walk.found.insert(child)
                readFile(child)
            }
        }
    }

    /// Whether `path` may be there although its status cannot be had.
    private func isUnseen(_ path: String) -> Bool {
        guard Files.status(path) == nil else { return false }
        do {
            _ = try Files.list(path)
            return true
        } catch {
            return !error.isMissingFile
        }
    }

    private mutating func readFile(_ path: String) {
        do {
            let bytes = try Files.read(path, limit: ManifestLimits.fileSize)
            let fingerprint = Fingerprint(bytes)
            guard fingerprints.updateValue(fingerprint, forKey: path) != fingerprint else { return }
            catalogue.fileRead(path, ManifestFile(bytes: bytes, file: path))
        } catch {
            if error.isMissingFile { return forget(path) }
            fingerprints[path] = nil
            let reason = "cannot be read (\(error)); what was read before stays in force"
            catalogue.fileRead(path, ManifestFile(unreadable: reason, file: path))
        }
    }

    private mutating func forget(_ path: String) {
        fingerprints[path] = nil
        catalogue.fileGone(path)
    }
}

/// Tells the contents of files apart. Keyed anew in each process, so that nobody can make two files that look the same.
private struct Fingerprint: Hashable {
    private let count: Int
    private let first: Int
    private let second: Int

    init(_ bytes: [UInt8]) {
        count = bytes.count
        first = Self.hash(bytes, 1)
        second = Self.hash(bytes, 2)
    }

    private static func hash(_ bytes: [UInt8], _ number: Int) -> Int {
        var hasher = Hasher()
        hasher.combine(number)
        unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        return hasher.finalize()
    }
}
