internal import Agent

extension WorkloadsReport: RenderableReport {
    func text(isWide: Bool, elapsed: Duration, palette: Palette) -> String {
        guard !items.isEmpty else { return "No workloads known.\n" }
        var headers = ["NAMESPACE", "NAME", "NODE", "CAPTURE", "HEALTHY", "ADDRESS", "CONNS"]
        if isWide { headers += ["PROTOCOL", "IDENTITY", "CERTIFICATE", "SERVICES", "POLICIES", "REASON"] }
        var table = Table(headers, gap: 2)
        for item in items {
            var cells = [
                item.namespace, item.name, item.node, item.capture.rawValue, item.isHealthy ? "yes" : "no",
                isWide ? item.addresses.joined(separator: ",") : item.addresses.first ?? "",
                item.connections.map { "\($0)" } ?? "-",
            ]
            if isWide {
                cells += [
                    item.protocol, item.identity,
                    item.certificateExpires.map { Quantity.expiry(of: $0, at: time) } ?? "",
                    item.services.joined(separator: ","), item.policies.joined(separator: ","), item.reason,
                ]
            }
            table.append(cells)
        }
        return table.text
    }

    var names: [String] { items.map { "workload/\($0.namespace)/\($0.name)" } }

    func kept(to namespace: String?) -> Self {
        guard let namespace else { return self }
        return Self(time: time, node: node, items: items.filter { $0.namespace == namespace })
    }
}

extension CertificatesReport: RenderableReport {
    func text(isWide: Bool, elapsed: Duration, palette: Palette) -> String {
        guard !items.isEmpty else { return "No certificates held.\n" }
        var headers = ["ROLE", "STATE", "EXPIRES", "RENEWAL", "PODS", "SUBJECT"]
        if isWide { headers += ["SERIAL", "NOT-BEFORE", "NOT-AFTER", "REASON"] }
        var table = Table(headers, gap: 2)
        for item in items {
            var cells = [
                item.role.rawValue, item.state.rawValue, Quantity.left(until: item.notAfter, at: time),
                item.renewal.map { Quantity.left(until: $0, at: time) } ?? "-", item.pods.map { "\($0)" } ?? "-",
                item.subject,
            ]
            if isWide {
                cells += [
                    item.serial, item.notBefore?.description ?? Quantity.unknown,
                    item.notAfter?.description ?? Quantity.unknown, item.reason,
                ]
            }
            table.append(cells)
        }
        return table.text
    }

    var names: [String] { items.map { "certificate/\($0.subject)" } }
}

extension PoliciesReport: RenderableReport {
    func text(isWide: Bool, elapsed: Duration, palette: Palette) -> String {
        guard !items.isEmpty else { return "No policies in force: everything is allowed, in plaintext too.\n" }
        var headers = ["NAMESPACE", "NAME", "KIND", "ACTION", "SCOPE", "PODS"]
        let hasDecisions = items.contains { $0.decisions != nil }
        if hasDecisions { headers.append("DECISIONS") }
        if isWide { headers += ["RULES", "DRY-RUN", "NOTES"] }
        var table = Table(headers, gap: 2)
        for item in items {
            var cells = [
                item.namespace, item.name, item.kind, item.action, item.scope.rawValue,
                Quantity.exact(item.pods),
            ]
            if hasDecisions { cells.append(Quantity.count(item.decisions)) }
            if isWide {
                cells += [
                    item.rules.map { "\($0)" } ?? "-", item.isDryRun ? "yes" : "no", item.notes.joined(separator: "; "),
                ]
            }
            table.append(cells)
        }
        return table.text
    }

    var names: [String] { items.map { "\($0.kind.lowercased())/\($0.namespace)/\($0.name)" } }

    func kept(to namespace: String?) -> Self {
        guard let namespace else { return self }
        return Self(time: time, node: node, items: items.filter { $0.namespace == namespace })
    }
}

/// What `meshnode version` prints.
enum VersionText {
    static func text(command: VersionReport, agent: VersionReport?) -> String {
        var text = "meshnode  \(Printable.text(command.version))\n"
        guard let agent else { return text + "agent     <unknown>\n" }
        text += "agent     \(Printable.text(agent.version))\n"
        if let openSSL = agent.openSSL { text += "OpenSSL   \(Printable.text(openSSL))\n" }
        if let nghttp2 = agent.nghttp2 { text += "nghttp2   \(Printable.text(nghttp2))\n" }
        if let kernel = agent.kernel { text += "kernel    \(Printable.text(kernel))\n" }
        return text
    }
}
