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

    /// A problem of the object `key`, at the place where it is written.
    func problem(
        _ severity: ManifestProblem.Severity, about key: ManifestKey, field: String, _ reason: String,
        topic: ManifestProblem.Topic = .other
    ) -> ManifestProblem {
        let standing = manifests[key]
        return ManifestProblem(
            file: standing?.file ?? "", line: standing?.line ?? 0, field: field, reason: reason, severity: severity,
            object: key.description, topic: topic)
    }
}
