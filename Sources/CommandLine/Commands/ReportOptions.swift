internal import Agent
internal import ArgumentParser

/// How an answer is written.
enum OutputForm: String, ExpressibleByArgument, CaseIterable {
    /// Columns of at most 80 characters, where the names allow it.
    case table
    /// All columns.
    case wide
    /// The report as JSON, with `apiVersion`.
    case json
    /// The same as YAML.
    case yaml
    /// One `kind/namespace/name` per line.
    case name
}

/// What every command that looks at an agent takes.
struct ReportOptions: ParsableArguments {
    /// Where the agent's socket is unless the option or MESHNODE_SOCKET says otherwise.
    static let defaultSocket = "/run/meshnode/agent.sock"

    @Option(
        name: [.short, .customLong("output")],
        help: ArgumentHelp("table, wide, json, yaml or name.", valueName: "form"),
        transform: Self.outputForm)
    var output = OutputForm.table

    @Flag(name: .shortAndLong, help: "Look again every two seconds, until Ctrl-C.")
    var watch = false

    @Option(help: ArgumentHelp("The agent's socket (default: $MESHNODE_SOCKET, \(defaultSocket)).", valueName: "path"))
    var socket: String?

    private static func outputForm(_ text: String) throws -> OutputForm {
        if let form = OutputForm(rawValue: text) { return form }
        throw ValidationError("Choose table, wide, json, yaml or name.")
    }

    func socketPath(in environment: [String: String]) -> String {
        if let socket { return socket }
        let fromEnvironment = environment["MESHNODE_SOCKET"] ?? ""
        return fromEnvironment.isEmpty ? Self.defaultSocket : fromEnvironment
    }

    /// The directory of the agent's sockets.
    func runDirectory(in environment: [String: String]) -> String {
        let path = socketPath(in: environment)
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}

/// Which namespaces a list shows.
struct NamespaceOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: ArgumentHelp("Only this namespace.", valueName: "name"))
    var namespace: String?

    @Flag(name: [.customShort("A"), .long], help: "All namespaces (the default).")
    var allNamespaces = false

    func validate() throws {
        guard namespace == nil || !allNamespaces else {
            throw ValidationError("-n and -A exclude each other.")
        }
    }

    /// The namespace asked for; nil for all.
    var only: String? { namespace }
}
