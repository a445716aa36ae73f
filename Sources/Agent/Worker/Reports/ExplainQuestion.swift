internal import Addressing
internal import Mesh

/// Why a question cannot be answered, told so that the next one can be.
struct ExplainError: Error, Equatable, CustomStringConvertible {
    /// What is wrong with the question, and what to ask instead.
    let description: String

    init(_ description: String) { self.description = description }
}

/// One end of a connection as a person writes it, without regard to what there is.
enum EndSpelling: Equatable {
    case address(IPAddress)
    /// `namespace/name`.
    case name(namespace: String, name: String)
    /// A name without a namespace, or a hostname.
    case hostname(String)

    /// Reads `namespace/name`, a hostname, an address, or an address in brackets.
    init(_ text: some StringProtocol) throws(ExplainError) {
        guard !text.isEmpty else { throw ExplainError("an end of the connection is missing") }
        let bare = text.hasPrefix("[") && text.hasSuffix("]") ? text.dropFirst().dropLast() : text[...]
        if let address = IPAddress(String(bare)) {
            self = .address(address)
            return
        }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        switch parts.count {
        case 1: self = .hostname(String(text))
        case 2 where !parts[0].isEmpty && !parts[1].isEmpty:
            self = .name(namespace: String(parts[0]), name: String(parts[1]))
        default:
            throw ExplainError(
                "'\(text)' is no end of a connection: write namespace/pod, service.namespace or an address")
        }
    }

    /// Reads the same with `:port` behind it; the port is nil if none stands there.
    static func withPort(_ text: String) throws(ExplainError) -> (EndSpelling, UInt16?) {
        // An IPv6 address without brackets is full of colons and has no port.
        if IPAddress(text) != nil { return (try EndSpelling(text), nil) }
        guard let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") else {
            return (try EndSpelling(text), nil)
        }
        let digits = text[text.index(after: colon)...]
        guard let port = UInt16(digits), port > 0 else {
            throw ExplainError("'\(digits)' is no port: write a number from 1 through 65535 behind the colon")
        }
        return (try EndSpelling(text[..<colon]), port)
    }
}

/// Finds what a person means among what there is.
struct EndResolver {
    let snapshot: MeshSnapshot

    /// One end, found.
    enum Found: Equatable {
        case workload(Workload)
        case service(Service)
        /// Nobody in the mesh has it.
        case stranger(IPAddress)
    }

    /// The client: a pod, or an address.
    func source(_ text: String) throws(ExplainError) -> (Found, note: String?) {
        switch try EndSpelling(text) {
        case .address(let address):
            return (snapshot.workload(at: address).map { .workload($0) } ?? .stranger(address), nil)
        case .name(let namespace, let name):
            let (workload, note) = try workload(name, in: namespace)
            return (.workload(workload), note)
        case .hostname(let name):
            let all = snapshot.workloads.filter { $0.name == name }
            guard let first = all.first else {
                throw ExplainError("'\(text)' is no pod: write namespace/pod, or name the namespace with -n")
            }
            guard all.count == 1 else {
                throw ExplainError("'\(text)' is ambiguous: \(list(all)); write one of them")
            }
            return (.workload(first), nil)
        }
    }

    /// The server: a pod, a service or an address, and its port.
    func destination(
        _ text: String, from namespace: String
    ) throws(ExplainError) -> (Found, port: UInt16, note: String?) {
        let (spelling, port) = try EndSpelling.withPort(text)
        let (found, note) = try destination(spelling, text, port, from: namespace)
        guard let port else { throw ExplainError(missingPort(text, found)) }
        return (found, port, note)
    }

    /// The address that was written; nil if a name was, and the client's family decides.
    func typedAddress(_ destination: String) -> IPAddress? {
        guard case .address(let address)? = (try? EndSpelling.withPort(destination))?.0 else { return nil }
        return address
    }

    private func destination(
        _ spelling: EndSpelling, _ text: String, _ port: UInt16?, from namespace: String
    ) throws(ExplainError) -> (Found, note: String?) {
        switch spelling {
        case .address(let address):
            if let service = snapshot.service(at: address, from: namespace) { return (.service(service), nil) }
            return (snapshot.workload(at: address).map { .workload($0) } ?? .stranger(address), nil)
        case .name(let namespace, let name):
            return try podOrService(name, in: namespace, port)
        case .hostname(let hostname):
            if let service = service(hostname, from: namespace) { return (.service(service), nil) }
            if let workload = snapshot.workloads.first(where: { $0.namespace == namespace && $0.name == hostname }) {
                return (.workload(workload), nil)
            }
            throw ExplainError(unknownHost(hostname, text))
        }
    }

    /// `pay/api` may be both. The pod is meant, unless only the service has that port.
    private func podOrService(
        _ name: String, in namespace: String, _ port: UInt16?
    ) throws(ExplainError) -> (Found, note: String?) {
        let service = snapshot.service(NamespacedName(namespace: namespace, name: name))
        let pod = snapshot.workloads.first { $0.namespace == namespace && $0.name == name }
        if let service, let pod {
            let isOfService = port.map { port in service.ports.contains { $0.port == port } } ?? false
            let isOfPod = port.map { port in targetPorts(pod).contains(port) } ?? true
            guard isOfService, !isOfPod else {
                return (.workload(pod), "\(namespace)/\(name) is taken as the pod; the service is \(name).\(namespace)")
            }
            return (
                .service(service),
                "\(namespace)/\(name) is taken as the service, since the pod serves no port \(port ?? 0)"
            )
        }
        if let pod { return (.workload(pod), nil) }
        if let service { return (.service(service), nil) }
        let (workload, note) = try workload(name, in: namespace)
        return (.workload(workload), note)
    }

    private func service(_ hostname: String, from namespace: String) -> Service? {
        if let service = snapshot.service(hostname: hostname, from: namespace) { return service }
        let labels = hostname.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard let name = labels.first else { return nil }
        let place = labels.count > 1 ? labels[1] : namespace
        guard labels.count <= 2 || labels[2] == "svc" else { return nil }
        return snapshot.service(NamespacedName(namespace: place, name: name))
    }

    /// A pod by its name, or by the name of what made it if that made one.
    private func workload(_ name: String, in namespace: String) throws(ExplainError) -> (Workload, note: String?) {
        let local = snapshot.workloads.filter { $0.namespace == namespace }
        if let exact = local.first(where: { $0.name == name }) { return (exact, nil) }
        let made = local.filter { $0.owner.name == name }
        if made.count == 1, let only = made.first {
            return (only, "\(namespace)/\(name) is taken as its pod \(only.name)")
        }
        if made.count > 1 {
            throw ExplainError("'\(namespace)/\(name)' is ambiguous: \(list(made)); write one of them")
        }
        throw ExplainError(unknownPod(name, in: namespace, local))
    }

    // MARK: What to say when there is no such thing

    private func unknownPod(_ name: String, in namespace: String, _ local: [Workload]) -> String {
        let elsewhere = snapshot.workloads.filter { $0.name == name }
        if !elsewhere.isEmpty { return "no pod \(namespace)/\(name), but \(list(elsewhere))" }
        guard !local.isEmpty else {
            let namespaces = Set(snapshot.workloads.map(\.namespace))
            return "no pod is known in namespace \(namespace)"
                + hint(CloseNames.of(namespace, among: namespaces).map { "\($0)/..." })
        }
        let close = CloseNames.of(name, among: local.map(\.name)).map { "\(namespace)/\($0)" }
        return "no pod \(namespace)/\(name)" + hint(close)
    }

    private func unknownHost(_ hostname: String, _ text: String) -> String {
        let names = snapshot.services.map { "\($0.name.name).\($0.name.namespace)" }
        return "no service \(hostname) is known" + hint(CloseNames.of(hostname, among: names))
            + "; a pod is written namespace/pod:port"
    }

    private func hint(_ names: [String]) -> String {
        names.isEmpty ? "" : "; did you mean \(names.joined(separator: ", "))?"
    }

    private func missingPort(_ text: String, _ found: Found) -> String {
        let ports: [UInt16] =
            switch found {
            case .workload(let workload): targetPorts(workload)
            case .service(let service): service.ports.map(\.port)
            case .stranger: []
            }
        let example = ports.first ?? 443
        let known = ports.isEmpty ? "" : " (known: \(ports.map(String.init).joined(separator: ", ")))"
        return "'\(text)' has no port\(known): write \(text):\(example)"
    }

    private func targetPorts(_ workload: Workload) -> [UInt16] {
        Set(workload.services.values.flatMap { $0.map(\.targetPort) }).sorted()
    }

    private func list(_ workloads: [Workload]) -> String {
        let shown = workloads.prefix(5).map { "\($0.namespace)/\($0.name)" }.joined(separator: ", ")
        return workloads.count > 5 ? "\(shown) and \(workloads.count - 5) more" : shown
    }
}

/// Names that somebody may have meant.
enum CloseNames {
    /// At most three of `names`: those that begin with `name` or are few letters away from it, the closest first.
    static func of(_ name: String, among names: some Sequence<String>) -> [String] {
        let limit = max(2, name.count / 3)
        let scored = Set(names).map { candidate in
            (candidate, candidate.hasPrefix(name) || name.hasPrefix(candidate) ? 1 : distance(name, candidate))
        }
        return scored.filter { $0.1 <= limit }.sorted { ($0.1, $0.0) < ($1.1, $1.0) }.prefix(3).map(\.0)
    }

    /// Letters to add, take away or change (Levenshtein). Long names are not compared: they are no typing mistakes.
    static func distance(_ one: String, _ other: String) -> Int {
        let (one, other) = (Array(one.utf8), Array(other.utf8))
        guard one.count <= 256, other.count <= 256 else { return .max }
        var row = Array(0...other.count)
        for (index, letter) in one.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for (column, candidate) in other.enumerated() {
                let change = diagonal + (letter == candidate ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(change, min(row[column], row[column + 1]) + 1)
            }
        }
        return row[other.count]
    }
}
