import FoundationEssentials

/// What an authority's files look like from outside, without reading them: if it is the same, so are they.
struct AuthorityStamp: Hashable, Sendable {
    private struct File: Hashable {
        let number: UInt64
        let size: UInt64
        let modified: Date
    }

    /// Nil where there is no such file.
    private let files: [File?]
    private let newestGeneration: Int?

    init(of source: RunningAuthority.Source) {
        let state = source.stateDirectory
        switch source {
        case .directory(let path):
            let names = ["root-cert.pem", "ca-cert.pem", "ca-key.pem", "cert-chain.pem"]
            files = (names.map { "\(path)/\($0)" } + ["\(state)/revoked"]).map(Self.look)
            let contents = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
            newestGeneration = contents.compactMap(AuthorityDirectory.generationNumber).max()
        case .files(let paths, _):
            files =
                [paths.certificate, paths.key, paths.chain, paths.roots, "\(state)/revoked"].map { path in
                    path.flatMap(Self.look)
                }
            newestGeneration = nil
        }
    }

    private static func look(at path: String) -> File? {
        // Mounted volumes change by changing where links lead.
        let target = URL(filePath: path).resolvingSymlinksInPath().path
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: target) else { return nil }
        return File(
            number: number(attributes[.systemFileNumber]), size: number(attributes[.size]),
            modified: attributes[.modificationDate] as? Date ?? .distantPast)
    }

    /// The type depends on whether all of Foundation is in the process.
    private static func number(_ value: Any?) -> UInt64 {
        value as? UInt64 ?? (value as? Int).map { UInt64(truncatingIfNeeded: $0) } ?? (value as? UInt).map {
            UInt64($0)
        }
            ?? 0
    }
}
