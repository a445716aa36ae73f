internal import Kernel
internal import Telemetry

/// The log of one process: whole lines on standard error, escaped so that each stays one line. It is for what an
/// operator must know; connections are in the access log.
struct ProcessLog: Sendable {
    private let process: String
    private let format: AgentConfiguration.LogFormat
    private let least: AgentConfiguration.LogLevel

    /// - Parameter process: `keeper`, `worker`, `controller` or `subscriber`.
    init(_ process: String, _ format: AgentConfiguration.LogFormat, _ least: AgentConfiguration.LogLevel) {
        self.process = process
        self.format = format
        self.least = least
    }

    init(_ process: String, _ configuration: AgentConfiguration) {
        self.init(process, configuration.logFormat, configuration.logLevel)
    }

    func write(_ level: AgentConfiguration.LogLevel, _ message: String) {
        guard level.rank >= least.rank else { return }
        let time = Telemetry.Timestamp.text(secondsSince1970: WallClock.secondsSince1970)
        let line =
            switch format {
            case .text: "\(time) \(level.rawValue) \(process): \(LogText.singleLine(message))\n"
            case .json:
                #"{"time":"\#(time)","level":"\#(level.rawValue)","process":"\#(process)","message":\#(LogText.json(message))}"#
                    + "\n"
            }
        StandardStream.error.write(Array(line.utf8))
    }
}

extension AgentConfiguration.LogLevel {
    fileprivate var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
