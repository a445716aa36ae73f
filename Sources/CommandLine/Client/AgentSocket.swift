internal import Kernel

/// The agent behind its unix socket: HTTP/1.1, one request per connection, blocking.
struct AgentSocket: AgentClient {
    /// A report of 10,000 workloads has about 5 MiB.
    private static let answerLimitInBytes = 256 * 1_024 * 1_024

    /// As long as it may take until `status` names a fault.
    private static let answerTime = Duration.seconds(10)

    /// Where the socket is.
    let path: String

    /// A worker that ends may have taken the connection without answering; the next one answers.
    private static let attempts = 4

    func get(_ resource: String) throws -> [UInt8] {
        let bytes = try TimeLimit.run(Self.answerTime) { () throws(CommandError) in
            var bytes = try exchange(resource)
            for attempt in 1..<Self.attempts where bytes.isEmpty {
                CurrentProcess.pause(milliseconds: Int32(100 * attempt))
                bytes = try exchange(resource)
            }
            return bytes
        }
        guard let bytes else {
            throw CommandError(
                .unreachable, "the agent at \(path) does not answer within 10 seconds: look at its log, or restart it")
        }
        guard let answer = HTTPAnswer(bytes) else {
            let cause = bytes.isEmpty ? "the agent closed the connection: it may be restarting" : "not an HTTP answer"
            throw CommandError(.unreachable, "no answer from \(path): \(cause); try again, or look at the agent's log")
        }
        guard answer.status == 200 else { throw refusal(answer) }
        return answer.body
    }

    /// Sends the request and reads until the agent closes the connection.
    private func exchange(_ resource: String) throws(CommandError) -> [UInt8] {
        do throws(SystemError) {
            let socket = try UnixSocket.connect(path)
            let head = "GET \(resource) HTTP/1.1\r\nhost: meshnode\r\naccept: application/json\r\n"
            try socket.writeAll(Array((head + "connection: close\r\n\r\n").utf8))
            return try socket.readAll(limit: Self.answerLimitInBytes)
        } catch {
            if error.isConnectionReset { return [] }
            throw explanation(of: error)
        }
    }

    private func explanation(of error: SystemError) -> CommandError {
        if error.isMissingFile || error.isConnectionRefused {
            return CommandError(
                .unreachable,
                """
                nobody answers at \(path)
                Start an agent with `meshnode agent --config DIR`, or name its socket with --socket or MESHNODE_SOCKET.
                """)
        }
        if error.isPermissionDenied {
            return CommandError(.notPermitted, "not permitted to ask the agent at \(path): only root may; try sudo")
        }
        return CommandError(.unreachable, "the agent at \(path) could not be asked: \(error)")
    }

    private func refusal(_ answer: HTTPAnswer) -> CommandError {
        let message = ReportText.errorMessage(in: answer.body) ?? "HTTP status \(answer.status)"
        // The question was wrong, and the answer says how: the agent is well.
        if answer.status == 400 { return CommandError(.badInput, message) }
        let status: ExitStatus =
            switch answer.status {
            case 401, 403: .notPermitted
            case 503: .unreachable
            default: .unexpected
            }
        return CommandError(status, "the agent at \(path) did not answer: \(message)")
    }
}
