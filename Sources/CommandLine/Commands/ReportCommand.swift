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

    /// The exit status that the report stands for.
    func status(of report: Answer) -> ExitStatus
}

extension ReportCommand {
    var onlyNamespace: String? { nil }

    func status(of report: Answer) -> ExitStatus { .ok }

    func run(on console: Console) throws -> Int32 {
        let client = console.makeClient(options.socketPath(in: console.environment))
        var status = try look(through: client, on: console)
        guard options.watch else { return status.rawValue }
        while console.pause(.seconds(2)) {
            do {
                status = try look(through: client, on: console)
            } catch let error as CommandError where error.status == .unreachable {
                // An agent that is being restarted is just what one watches.
                console.write(clear(console) + Printable.text(error.message) + "\n")
                status = .unreachable
            }
        }
        return status.rawValue
    }

    private func look(through client: any AgentClient, on console: Console) throws -> ExitStatus {
        let clock = ContinuousClock()
        let start = clock.now
        let bytes = try client.get(Answer.path)
        let elapsed = clock.now - start
        let report = try ReportText.decode(Answer.self, from: bytes).kept(to: onlyNamespace)
        console.write(clear(console) + (try text(of: report, elapsed: elapsed, palette: console.palette)))
        return status(of: report)
    }

    private func text(of report: Answer, elapsed: Duration, palette: Palette) throws -> String {
        switch options.output {
        case .table: report.text(isWide: false, elapsed: elapsed, palette: palette)
        case .wide: report.text(isWide: true, elapsed: elapsed, palette: palette)
        case .json: try ReportText.json(report)
        case .name: report.names.map { Printable.text($0) + "\n" }.joined()
        }
    }

    /// On a terminal a watched report takes the place of the one before (ECMA-48: cursor home, erase all).
    private func clear(_ console: Console) -> String {
        options.watch && console.isTerminal && options.output != .json ? "\u{1b}[H\u{1b}[2J" : ""
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
