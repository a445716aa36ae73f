import Kernel
package import Mesh
package import Resources

/// What a change of the directory means.
package struct DirectoryUpdate: Hashable, Sendable {
    /// The steps from the state of the update before.
    package var changes: [MeshChange]
    /// The whole state that they lead to, with the pods to be enrolled.
    package var mesh: BuiltMesh
    /// Everything that is wrong now, in the order people read it: files, objects, contradictions between objects.
    package var problems: [ManifestProblem]
    /// Manifest files in the directory, well or badly read.
    package var fileCount = 0
}

/// The mesh as the manifests in a directory describe it: reads them, watches them, keeps the last good state.
///
/// Confined to one thread. Its owner waits for `descriptor` to be readable or for the time that was returned last,
/// and asks.
package final class DirectorySource {
    package let root: String
    private var assembly: MeshAssembly
    private var watcher: DirectoryWatcher?
    private var tree: ManifestTree
    private var debounce = ChangeDebounce()
    private var pending: Pending = .paths([])
    private var rootProblem: ManifestProblem?
    private var last = DirectoryUpdate(changes: [], mesh: BuiltMesh(), problems: [])

    private enum Pending {
        case paths(Set<String>)
        case everything
    }

    /// How often a directory that vanished is looked for.
    package static let retryInterval = Duration.seconds(1)

    /// Begins to watch; nothing is read yet.
    /// - Throws: `directoryMissing` or `directoryUnreadable`: the agent must not start on nothing.
    package init(root: String, parameters: MeshParameters) throws(ControllerError) {
        let trimmed = root.count > 1 && root.hasSuffix("/") ? String(root.dropLast()) : root
        self.root = trimmed
        assembly = MeshAssembly(parameters)
        tree = ManifestTree(root: trimmed)
        do {
            // Watched before the first read, so that no change falls between.
            watcher = try DirectoryWatcher(root: trimmed)
            _ = try Files.list(trimmed)
        } catch {
            let isMissing = Files.status(trimmed)?.isDirectory != true
            throw ControllerError(
                isMissing ? .directoryMissing : .directoryUnreadable,
                isMissing
                    ? "the directory of manifests \(trimmed) does not exist or is no directory: create it or correct --config"
                    : "the directory of manifests \(trimmed) cannot be read (\(error)): check its owner and mode")
        }
    }

    /// Readable when files changed; closed and replaced only within `deadlineReached`. Nil while the directory is gone.
    package var descriptor: Int32? { watcher?.descriptor.raw }

    /// The first read of everything.
    package func load() -> DirectoryUpdate {
        tree.readAll()
        return publish()
    }

    /// The descriptor is readable: notes what changed, reads nothing yet.
    /// - Returns: when `deadlineReached` is to be called next; nil if there is nothing to wait for.
    package func filesChanged(at now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        guard let watcher else { return debounce.deadline }
        do {
            switch try watcher.changes() {
            case .none: return debounce.deadline
            case .changed(let paths): note(paths)
            case .overflowed: pending = .everything
            case .rootGone: pending = .everything
            }
        } catch {
            // Without its events the directory has to be looked at as a whole.
            pending = .everything
        }
        return debounce.changed(at: now)
    }

    /// The time that was returned last has come.
    /// - Returns: what changed, nil if nothing did; and when to call again, nil if only after `filesChanged`.
    package func deadlineReached(
        at now: ContinuousClock.Instant
    ) -> (update: DirectoryUpdate?, next: ContinuousClock.Instant?) {
        if let due = debounce.deadline, now < due { return (nil, due) }
        _ = debounce.isDue(at: now)
        let began = ContinuousClock.now
        defer { debounce.applied(in: began.duration(to: .now), at: now) }
        guard canSeeRoot() else { return (publishIfNew(), now + Self.retryInterval) }
        switch pending {
        case .everything: tree.readAll()
        case .paths(let paths): tree.read(changed: paths)
        }
        pending = .paths([])
        return (publishIfNew(), nil)
    }

    private func note(_ paths: Set<String>) {
        if case .paths(let known) = pending { pending = .paths(known.union(paths)) }
    }

    /// Looks whether the directory is there, and watches it anew if it came back. While it is not, nothing that was
    /// in it counts as deleted.
    private func canSeeRoot() -> Bool {
        do {
            _ = try Files.list(root)
            if case .everything = pending {
                // After losing events, or the directory itself, the old watches are not to be trusted.
                watcher = nil
                watcher = try DirectoryWatcher(root: root)
            }
            rootProblem = nil
            return true
        } catch {
            watcher = nil
            pending = .everything
            rootProblem = ManifestProblem(
                file: root,
                reason: "cannot be read any more (\(error)); the last good state of everything in it stays in force: "
                    + "put the directory back")
            return false
        }
    }

    private var emptyDirectoryProblems: [ManifestProblem] {
        guard tree.catalogue.fileCount == 0 else { return [] }
        let reason =
            "holds no manifest: put some there; what a controller that just started finds is not taken for empty"
        return [ManifestProblem(file: root, reason: reason, severity: .warning)]
    }

    private func publishIfNew() -> DirectoryUpdate? {
        let before = last
        let update = publish()
        let isNew = !update.changes.isEmpty || update.problems != before.problems || update.mesh != before.mesh
        return isNew ? update : nil
    }

    private func publish() -> DirectoryUpdate {
        tree.catalogue.settle()
        let changes = assembly.update(tree.catalogue.manifests, changed: tree.catalogue.takeChanges())
        let own = [rootProblem].compactMap { $0 } + tree.problems
        last = DirectoryUpdate(
            changes: changes, mesh: assembly.mesh,
            problems: own + emptyDirectoryProblems + tree.catalogue.problems + assembly.mesh.problems,
            fileCount: tree.catalogue.fileCount)
        return last
    }
}
