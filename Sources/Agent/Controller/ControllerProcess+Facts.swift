internal import CertificateAuthority
internal import Controller
internal import Kernel
internal import XDS

extension ControllerProcess {
    /// What the controller tells of itself.
    var facts: ControllerFacts {
        let status = authority.running.status
        var facts = ControllerFacts(
            time: Timestamp(secondsSince1970: WallClock.secondsSince1970), trustDomain: settings.trustDomain,
            place: node ?? settings.source.listenAddress ?? "")
        facts.snapshotVersion = UInt64(report.snapshotVersion)
        facts.snapshotAgeSeconds = updatedAt.map { Int64(clamping: (loop.now - $0).wholeMilliseconds / 1000) }
        facts.rootExpires = status.roots.map(\.notAfter).min().map { Timestamp(secondsSince1970: $0) }
        facts.issuerExpires = Timestamp(secondsSince1970: status.issuer.notAfter)
        facts.roots = status.roots.count
        facts.rotation = ControllerFacts.Rotation(status.rotation)
        facts.authorityFailure = authority.running.lastError?.description ?? ""
        let nodes = mesh.enrolments.filter { !$0.key.isEmpty }.sorted { $0.key < $1.key }
        facts.expectedNodes = nodes.map { .init(node: $0.key, enrolledPods: $0.value.count) }
        facts.manifestProblems = report.problems.map { .init($0) }
        return facts
    }

    /// What its socket answers from.
    var deskState: ControllerDesk.State {
        guard case .answered(let accounts, _) = MeshAnswer(meshReport(id: 0)) else {
            return ControllerDesk.State(facts: facts, accounts: [], node: node)
        }
        return ControllerDesk.State(facts: facts, accounts: accounts, node: node)
    }
}

extension ControllerFacts.Rotation {
    fileprivate init(_ rotation: RootRotation?) {
        self =
            switch rotation?.state {
            case nil: .settled
            case .begun: .trusting
            case .activated: .signing
            }
    }
}
