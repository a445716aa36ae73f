package import Resources

/// What the files of a directory hold, and which state of each object is in force. Pure: files are told to it.
///
/// An object is in force as its file has it. If the file has it wrong, or cannot be read any more, the last good
/// state stays. If the file is gone, or readable and without the object, so is the object.
package struct DirectoryCatalogue: Hashable, Sendable {
    /// One object as one file has it.
    private struct Claim: Hashable {
        var standing: StandingManifest
        /// Its file shows it wrong or not at all: any good claim of another file comes before it.
        var isLastGood: Bool
    }

    private struct FileState: Hashable {
        var claims: [ManifestKey: Claim] = [:]
        var problems: [ManifestProblem] = []
    }

    private var files: [String: FileState] = [:]
    /// The files that claim an object.
    private var claimants: [ManifestKey: Set<String>] = [:]
    /// Objects of files that were read or went since the last `settle`.
    private var unsettled: Set<ManifestKey> = []
    private var filesWithProblems: Set<String> = []
    private var duplicates: [ManifestKey: [ManifestProblem]] = [:]
    private var changed: Set<ManifestKey> = []
    /// The objects in force, as of the last `settle`.
    package private(set) var manifests = ManifestSet()
    /// What is wrong with files and objects, as of the last `settle`.
    package private(set) var problems: [ManifestProblem] = []

    package init() {}

    /// How many files are known.
    package var fileCount: Int { files.count }

    /// The files that are known, in no order.
    package var paths: [String] { Array(files.keys) }

    /// A file was read, well or badly.
    package mutating func fileRead(_ path: String, _ file: ManifestFile) {
        let old = files[path]?.claims ?? [:]
        var claims: [ManifestKey: Claim] = [:]
        for entry in file.entries {
            if let object = entry.object {
                let standing = StandingManifest(object: object, file: path, line: entry.line)
                claims[entry.key] = Claim(standing: standing, isLastGood: false)
            } else if var standing = old[entry.key]?.standing ?? manifests.manifests[entry.key] {
                standing.file = path
                standing.line = entry.line
                claims[entry.key] = Claim(standing: standing, isLastGood: true)
            }
        }
        for (key, claim) in old where claims[key] == nil && file.mayStillHold(key) && !file.holds(key) {
            claims[key] = Claim(standing: claim.standing, isLastGood: true)
        }
        replace(path, FileState(claims: claims, problems: file.problems))
    }

    /// A file is not there any more.
    package mutating func fileGone(_ path: String) { replace(path, nil) }

    private mutating func replace(_ path: String, _ state: FileState?) {
        for key in files[path]?.claims.keys.map(\.self) ?? [] {
            unsettled.insert(key)
            claimants[key]?.remove(path)
            if claimants[key]?.isEmpty == true { claimants[key] = nil }
        }
        for key in state?.claims.keys.map(\.self) ?? [] {
            unsettled.insert(key)
            claimants[key, default: []].insert(path)
        }
        files[path] = state
        if state?.problems.isEmpty == false { filesWithProblems.insert(path) } else { filesWithProblems.remove(path) }
    }

    /// The objects whose state in force, or its place, differs since this was asked last.
    package mutating func takeChanges() -> Set<ManifestKey> {
        defer { changed = [] }
        return changed
    }

    /// Decides which state of each object is in force after the files told so far. Called once per batch of
    /// files, so that an object that moves from one file to another is never absent.
    package mutating func settle() {
        for key in unsettled {
            let winner = decide(key)?.standing
            guard manifests.manifests[key] != winner else { continue }
            manifests.manifests[key] = winner
            changed.insert(key)
        }
        unsettled = []
        problems = (filesWithProblems.flatMap { files[$0]?.problems ?? [] } + duplicates.values.joined()).sorted()
    }

    /// Which claim wins: the first good one by path, else the first; of further good ones it is noted that they are
    /// doubles.
    private mutating func decide(_ key: ManifestKey) -> Claim? {
        var winner: Claim?
        var doubles: [ManifestProblem] = []
        for claim in (claimants[key] ?? []).sorted().compactMap({ files[$0]?.claims[key] }) {
            guard let first = winner else {
                winner = claim
                continue
            }
            if first.isLastGood, !claim.isLastGood { winner = claim }
            if !first.isLastGood, !claim.isLastGood {
                doubles.append(Self.duplicate(key, claim.standing, first: first.standing))
            }
        }
        duplicates[key] = doubles.isEmpty ? nil : doubles
        return winner
    }

    private static func duplicate(
        _ key: ManifestKey, _ second: StandingManifest, first: StandingManifest
    ) -> ManifestProblem {
        ManifestProblem(
            file: second.file, line: second.line,
            reason: "is in \(first.file):\(first.line) too, which is in force: remove one of them", severity: .error,
            object: key.description)
    }
}

extension ManifestFile {
    /// Whether the file shows the object, be it wrong.
    fileprivate func holds(_ key: ManifestKey) -> Bool { entries.contains { $0.key == key } }
}
