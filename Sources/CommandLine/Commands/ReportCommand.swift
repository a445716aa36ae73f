internal import Agent
internal import FoundationEssentials

/// A command that asks the agent for one report and writes it.
protocol ReportCommand: ConsoleCommand {
    /// The report that it asks for.
    associatedtype Answer: RenderableReport

    /// What all of them take.
    var options: ReportOptions { get }

    /// The namespace to keep; nil for all.
    var onlyNamespace: String? { get }

    /// What is asked for, beside the report's path.
    var query: [String: String] { get }

    /// Gets the report. Most ask the agent for it.
    func ask(on console: Console) throws -> Answer

    /// What of the report is to be shown.
    func chosen(_ report: Answer) throws -> Answer

    /// The exit status that the report stands for.
    func status(of report: Answer) -> ExitStatus
}

extension ReportCommand {
    var onlyNamespace: String? { nil }

    var query: [String: String] { [:] }

    func status(of report: Answer) -> ExitStatus { .ok }

    func ask(on console: Console) throws -> Answer {
        let client = console.makeClient(options.socketPath(in: console.environment))
        return try ReportText.decode(
            Answer.self, from: client.get(AdminTarget(path: Answer.path, query: query).text))
    }

    func chosen(_ report: Answer) throws -> Answer { report.kept(to: onlyNamespace) }

    func run(on console: Console) throws -> Int32 { try look(on: console).rawValue }

    /// Looks as the options say.
    func look(on console: Console) throws -> ExitStatus {
        try ReportLoop.run(
            options, on: console, ask: { try chosen(ask(on: console)) }, status: status,
            // Another namespace may be full: the report's own words for nothing would be a claim about all of them.
            nothing: onlyNamespace.map { "Nothing to show in namespace \($0).\n" })
    }
}

/// Looks once, or again and again, and writes what it sees.
enum ReportLoop {
    /// - Returns: what the last report stands for.
    static func run<Answer: RenderableReport>(
        _ options: ReportOptions, on console: Console, ask: () throws -> Answer, status: (Answer) -> ExitStatus,
        nothing: String? = nil
    ) throws -> ExitStatus {
        var last = try look(options, on: console, ask: ask, status: status, nothing: nothing)
        guard options.watch else { return last }
        while console.pause(.seconds(2)) {
            do {
                last = try look(options, on: console, ask: ask, status: status, nothing: nothing)
            } catch let error as CommandError where error.status == .unreachable {
                // An agent that is being restarted is just what one watches.
                console.write(clear(options, console) + Printable.text(error.message) + "\n")
                last = .unreachable
            }
        }
        return last
    }

    private static func look<Answer: RenderableReport>(
        _ options: ReportOptions, on console: Console, ask: () throws -> Answer, status: (Answer) -> ExitStatus,
        nothing: String?
    ) throws -> ExitStatus {
        let clock = ContinuousClock()
        let start = clock.now
        let report = try ask()
        let elapsed = clock.now - start
        let isForPeople = options.output == .table || options.output == .wide
        let nothing = isForPeople && report.names.isEmpty ? nothing : nil
        let text = try nothing ?? text(of: report, options, elapsed: elapsed, console.palette)
        console.write(clear(options, console) + text)
        return status(report)
    }

    private static func text(
        of report: some RenderableReport, _ options: ReportOptions, elapsed: Duration, _ palette: Palette
    ) throws -> String {
        switch options.output {
        case .table: report.text(isWide: false, elapsed: elapsed, palette: palette)
        case .wide: report.text(isWide: true, elapsed: elapsed, palette: palette)
        case .json: try ReportText.json(report)
        case .yaml: try YAML.text(of: ReportText.json(report).utf8)
        case .name: report.names.map { Printable.text($0) + "\n" }.joined()
        }
    }

    /// On a terminal a watched report takes the place of the one before (ECMA-48: cursor home, erase all).
    private static func clear(_ options: ReportOptions, _ console: Console) -> String {
        let isData = options.output == .json || options.output == .yaml
        let isDumb = console.environment["TERM"] == "dumb"
        return options.watch && console.isTerminal && !isData && !isDumb ? "\u{1b}[H\u{1b}[2J" : ""
    }
}

/// Reports as JSON.
enum ReportText {
    /// What every report begins with, whatever its version.
    private struct Header: Decodable {
        var apiVersion: String
    }

    /// Reads what the agent sent. Throws a `CommandError` that tells an agent of another version from garbage.
    static func decode<Answer: Report>(_: Answer.Type, from bytes: [UInt8]) throws -> Answer {
        let data = Data(bytes)
        guard let header = try? JSONDecoder().decode(Header.self, from: data) else {
            throw CommandError(.unexpected, "the agent's answer is not a report: is the socket that of meshnode?")
        }
        guard header.apiVersion == ReportVersion.current else {
            throw CommandError(
                .unexpected,
                "the agent speaks \(header.apiVersion), this command \(ReportVersion.current): use the agent's own binary"
            )
        }
        do {
            return try JSONDecoder().decode(Answer.self, from: data)
        } catch {
            throw CommandError(.unexpected, "the agent's \(Answer.kind) report cannot be read: \(error)")
        }
    }

    /// What the agent says that it could not do; nil if it did not say.
    static func errorMessage(in bytes: [UInt8]) -> String? {
        try? JSONDecoder().decode(ErrorReport.self, from: Data(bytes)).message
    }

    /// The report as people pipe it: sorted keys, two spaces, a line end.
    static func json(_ report: some Report) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(report), as: UTF8.self) + "\n"
    }
}
