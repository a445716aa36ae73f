internal import Agent

/// Whether all parts of the mesh run and agree, each as a line.
struct ComponentCheck {
    /// Where the facts come from.
    struct Ask {
        var keeper: () -> KeeperView?
        var node: () throws -> StatusReport
        var mesh: () throws -> MeshStatusReport
    }

    let ask: Ask

    /// All lines, in order. What cannot be asked is in doubt, never passed.
    var items: [CheckReport.Item] {
        var items = [keeper]
        do {
            let node = try ask.node()
            items += Self.node(node)
            items += mesh
            items += (node.problems.map { Self.item(of: $0) })
        } catch let error as CommandError {
            items.append(
                .init("worker", .failed, error.message, remedy: "meshnode status; then look at the agent's log"))
        } catch {
            items.append(.init("worker", .failed, "\(error)", remedy: "look at the agent's log"))
        }
        return items
    }

    private var keeper: CheckReport.Item {
        guard let keeper = ask.keeper() else {
            return .init(
                "keeper", .unknown, "its socket does not answer",
                remedy: "is an agent started? meshnode agent --config DIR")
        }
        let detail = "process \(keeper.pid), worker \(keeper.worker), started again \(keeper.workerRestarts) times"
        guard keeper.isWorkerReady else {
            return .init("keeper", .warning, detail, remedy: "look at the agent's log")
        }
        return .init("keeper", .passed, detail)
    }

    private static func node(_ node: StatusReport) -> [CheckReport.Item] {
        [worker(node), controller(node), authority(node), certificates(node), capture(node)]
    }

    private static func worker(_ node: StatusReport) -> CheckReport.Item {
        guard node.agent.isReady else {
            return .init(
                "worker", .failed, "not ready: \(node.agent.notReadyReason)", remedy: "meshnode status --local")
        }
        return .init("worker", .passed, "ready, \(node.agent.loops.map { "\($0)" } ?? "?") loops")
    }

    private static func controller(_ node: StatusReport) -> CheckReport.Item {
        let version = node.controller.snapshotVersion.map { "state \($0)" } ?? "no state"
        switch node.controller.state {
        case .connected: return .init("configuration", .passed, "\(version), connected")
        case .connecting, .lost, .unknown:
            return .init(
                "configuration", .failed, "\(version), not connected: no change takes effect",
                remedy: "look at the controller's lines in the agent's log")
        }
    }

    private static func authority(_ node: StatusReport) -> CheckReport.Item {
        let authority = node.certificateAuthority
        switch authority.state {
        case .ok:
            let root = Quantity.expiry(of: authority.rootExpires, at: node.time)
            return .init("CA", .passed, "signs; root \(root)")
        case .failing: return .init("CA", .failed, authority.reason, remedy: "meshnode certificates -o wide")
        case .unknown: return .init("CA", .unknown, "not known", remedy: "meshnode certificates")
        }
    }

    private static func certificates(_ node: StatusReport) -> CheckReport.Item {
        guard let all = node.certificateAuthority.certificates, let valid = node.certificateAuthority.validCertificates
        else { return .init("certificates", .unknown, "not known", remedy: "meshnode certificates") }
        guard valid == all else {
            return .init(
                "certificates", .failed, "\(valid) of \(all) held", remedy: "meshnode certificates -o wide")
        }
        return .init("certificates", .passed, "all \(all) held and valid")
    }

    private static func capture(_ node: StatusReport) -> CheckReport.Item {
        guard let enrolled = node.pods.enrolled, let captured = node.pods.captured else {
            return .init("capture", .unknown, "not known", remedy: "meshnode workloads")
        }
        let missing = (node.pods.failed + node.pods.pending).prefix(3).map { "\($0.pod): \($0.reason)" }
        guard captured == enrolled else {
            return .init(
                "capture", .failed, "\(captured) of \(enrolled) pods; \(missing.joined(separator: "; "))",
                remedy: "meshnode workloads -o wide")
        }
        return .init("capture", .passed, "all \(enrolled) enrolled pods, rules verified")
    }

    private var mesh: [CheckReport.Item] {
        guard let mesh = try? ask.mesh() else { return [.init("mesh", .unknown, "the agent does not tell")] }
        var items: [CheckReport.Item] = []
        switch mesh.controller.state {
        case .ok: items.append(.init("controller", .passed, "answers: \(mesh.controller.place)"))
        case .lost, .unknown:
            items.append(
                .init(
                    "controller", .failed, mesh.controller.reason.isEmpty ? "not known" : mesh.controller.reason,
                    remedy: "is it started, and can this node reach it?"))
        }
        for node in mesh.nodes where node.name != mesh.answeredBy {
            switch node.state {
            case .ready: items.append(.init("node \(node.name)", .passed, "ready"))
            case .unknown: items.append(.init("node \(node.name)", .unknown, node.reason))
            case .notReady, .lost, .restarting:
                items.append(
                    .init("node \(node.name)", .failed, node.reason, remedy: "meshnode status --node \(node.name)"))
            }
        }
        return items
    }

    private static func item(of problem: Problem) -> CheckReport.Item {
        .init(
            problem.code.rawValue, problem.severity == .error ? .failed : .warning,
            "\(problem.object): \(problem.cause)",
            remedy: problem.tryCommand)
    }
}
