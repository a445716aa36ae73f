extension MeshStatusReport {
    /// The report on what is known of the mesh.
    package init(_ outlook: MeshOutlook) {
        let nodes = outlook.nodes
        let problems = outlook.problems(of: nodes)
        let manifests = outlook.controller?.manifestProblems ?? []
        self.init(
            version: outlook.controller?.version ?? MeshnodeVersion.current,
            trustDomain: outlook.controller?.trustDomain ?? outlook.trustDomain, time: outlook.time,
            answeredBy: outlook.answeredBy, verdict: Self.verdict(nodes, problems, manifests),
            controller: outlook.controllerState, certificateAuthority: outlook.authorityState, nodes: nodes,
            traffic: outlook.traffic, nodesWithoutTraffic: nodes.count - outlook.heard.count, problems: problems,
            manifestProblems: manifests, note: outlook.note)
    }

    static func verdict(
        _ nodes: [Node], _ problems: [Problem], _ manifests: [ManifestProblem]
    ) -> StatusReport.Verdict {
        let hasErrors = problems.contains { $0.severity == .error } || manifests.contains { $0.severity == .error }
        if hasErrors { return .degraded }
        return nodes.allSatisfy { $0.state == .ready } && !nodes.isEmpty ? .ok : .starting
    }
}

extension MeshOutlook {
    /// The nodes whose last report is young enough to be counted.
    var heard: [NodeStatus] { accounts.filter { !isLost($0) }.compactMap(\.status) }

    var traffic: TrafficStatus {
        let parts = heard.map(\.traffic)
        func sum(_ part: KeyPath<TrafficStatus, UInt64?>) -> UInt64? {
            let known = parts.compactMap { $0[keyPath: part] }
            return known.isEmpty ? nil : known.reduce(0, &+)
        }
        return TrafficStatus(
            windowSeconds: parts.map(\.windowSeconds).max() ?? 60, opened: sum(\.opened), mutualTLS: sum(\.mutualTLS),
            plaintext: sum(\.plaintext), denied: sum(\.denied), failed: sum(\.failed), sentBytes: sum(\.sentBytes),
            receivedBytes: sum(\.receivedBytes), open: sum(\.open))
    }

    var controllerState: MeshStatusReport.Controller {
        guard let controller else {
            return MeshStatusReport.Controller(
                state: controllerFailure.isEmpty ? .unknown : .lost, reason: controllerFailure)
        }
        return MeshStatusReport.Controller(
            state: .ok, place: controller.place, snapshotVersion: controller.snapshotVersion,
            snapshotAgeSeconds: controller.snapshotAgeSeconds)
    }

    var authorityState: MeshStatusReport.Authority {
        guard let controller else { return MeshStatusReport.Authority(state: .unknown) }
        let isKnown = controller.rootExpires != nil || !controller.authorityFailure.isEmpty
        return MeshStatusReport.Authority(
            state: !controller.authorityFailure.isEmpty ? .failing : isKnown ? .ok : .unknown,
            rootExpires: controller.rootExpires, issuerExpires: controller.issuerExpires,
            rotation: controller.rotation, reason: controller.authorityFailure)
    }

    var note: String {
        guard controller == nil else { return "" }
        let cause = controllerFailure.isEmpty ? "the controller was not asked" : controllerFailure
        return "Only \(answeredBy) is known for sure: \(cause)."
    }

    /// Errors first.
    func problems(of nodes: [MeshStatusReport.Node]) -> [Problem] {
        let all =
            controllerProblems + nodes.compactMap(problem) + sharedProblems + accounts.flatMap(ownProblems)
            + (controller?.problems ?? [])
        return all.filter { $0.severity == .error } + all.filter { $0.severity == .warning }
    }

    private var controllerProblems: [Problem] {
        guard let controller else {
            return [
                Problem(
                    code: .controllerUnreachable, severity: .error, object: "controller",
                    cause: controllerFailure.isEmpty ? "it was not asked" : controllerFailure,
                    effect: "nodes go on with what they have; no change takes effect, no certificate is renewed",
                    tryCommand: "meshnode status --local")
            ]
        }
        guard controller.rotation != .settled else { return [] }
        return [
            Problem(
                code: .rotationUnderWay, severity: .warning, object: "CA",
                cause: "its root is being changed (\(controller.rotation.rawValue))",
                effect: "none as long as the old root is trusted",
                tryCommand: "meshnode certificates")
        ]
    }

    private func problem(of node: MeshStatusReport.Node) -> Problem? {
        switch node.state {
        case .lost:
            return Problem(
                code: .nodeLost, severity: .error, object: node.name, cause: "agent not answering: \(node.reason)",
                effect: "its pods keep their connections while its worker runs; if it does not, new ones are refused",
                tryCommand: "meshnode status --local   (on \(node.name))")
        case .restarting:
            return Problem(
                code: .workerRestarting, severity: .error, object: node.name, cause: node.reason,
                effect: "new connections wait for the next worker", tryCommand: "look at the agent's log")
        case .ready, .notReady, .unknown: return nil
        }
    }

    /// What nodes tell of themselves, each with the name of its node. What several tell in the same words is told once,
    /// with all their names.
    private var sharedProblems: [Problem] {
        var problems: [Problem] = []
        var nodes: [[String]] = []
        for account in accounts.sorted(by: { $0.node < $1.node }) where !isLost(account) {
            // That the controller is not heard of is told already, of the mesh.
            let isTold = controller == nil && account.node == answeredBy
            for problem in account.status?.problems ?? [] where !isTold || problem.code != .controllerDown {
                if let index = problems.firstIndex(of: problem) {
                    nodes[index].append(account.node)
                } else {
                    problems.append(problem)
                    nodes.append([account.node])
                }
            }
        }
        return zip(problems, nodes).map { problem, nodes in
            var problem = problem
            if nodes.count > 1 { problem.nodes = nodes }
            if problem.object != nodes.first { problem.object = "\(Self.list(nodes)): \(problem.object)" }
            return problem
        }
    }

    private static func list(_ nodes: [String]) -> String {
        let shown = nodes.prefix(nodes.count > 3 ? 2 : 3).joined(separator: ", ")
        return nodes.count > 3 ? "\(shown) and \(nodes.count - 2) more" : shown
    }

    /// What only a comparison with the controller shows.
    private func ownProblems(of account: NodeAccount) -> [Problem] {
        guard let status = account.status, !isLost(account) else { return [] }
        return [skew(account, status), lag(account, status)].compactMap(\.self)
    }

    private func skew(_ account: NodeAccount, _ status: NodeStatus) -> Problem? {
        guard let controller else { return nil }
        let (sent, _) = controller.time.secondsSince1970.subtractingReportingOverflow(
            Int64(clamping: account.ageInMilliseconds / 1_000))
        let (skew, overflow) = status.time.secondsSince1970.subtractingReportingOverflow(sent)
        guard overflow || skew.magnitude > UInt64(Self.clockTolerance) else { return nil }
        return Problem(
            code: .clockSkew, severity: .warning, object: account.node,
            cause: "its clock is \(skew.magnitude) s \(skew < 0 ? "behind" : "ahead of") the controller's",
            effect: "certificates look expired or not yet valid there",
            tryCommand: "timedatectl   (on \(account.node))")
    }

    private func lag(_ account: NodeAccount, _ status: NodeStatus) -> Problem? {
        guard let controller, let wanted = controller.snapshotVersion, let age = controller.snapshotAgeSeconds,
            age > Self.configurationGrace, let has = status.configurationVersion, has < wanted
        else { return nil }
        return Problem(
            code: .configurationBehind, severity: .warning, object: account.node,
            cause: "it has configuration \(has), the controller \(wanted) since \(age) s",
            effect: "what changed since is not enforced there", tryCommand: "meshnode diff   (on \(account.node))")
    }
}
