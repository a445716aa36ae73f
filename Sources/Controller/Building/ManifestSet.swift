package import Resources

/// One object that is in force, and where it is written.
package struct StandingManifest: Hashable, Sendable {
    package var object: ManifestObject
    package var file: String
    /// From 1.
    package var line: Int

    package init(object: ManifestObject, file: String, line: Int) {
        self.object = object
        self.file = file
        self.line = line
    }
}

/// The objects in force, each once.
package struct ManifestSet: Hashable, Sendable {
    package var manifests: [ManifestKey: StandingManifest]

    package init(_ manifests: [ManifestKey: StandingManifest] = [:]) { self.manifests = manifests }

    /// Those objects that `select` picks, in the order of their names.
    func all<Manifest>(_ select: (ManifestObject) -> Manifest?) -> [Manifest] {
        manifests.compactMap { key, standing in select(standing.object).map { (key, $0) } }
            .sorted { $0.0 < $1.0 }.map(\.1)
    }

    func problem(
        _ severity: ManifestProblem.Severity, about key: ManifestKey, field: String, _ reason: String
    ) -> ManifestProblem {
        let standing = manifests[key]
        return ManifestProblem(
            file: standing?.file ?? "", line: standing?.line ?? 0, field: field, reason: reason, severity: severity,
            object: key.description)
    }
}
