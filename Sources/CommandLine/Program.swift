internal import ArgumentParser

/// The program as a function of its arguments: parse, run, and say what the process ends with.
package enum Program {
    /// Runs one command line.
    /// - Parameter arguments: without the program's own name.
    /// - Returns: the exit status of the process.
    package static func run(_ arguments: [String], on console: Console) -> Int32 {
        do {
            var command = try MeshnodeCommand.parseAsRoot(arguments)
            if let command = command as? any ConsoleCommand {
                return try command.run(on: console)
            }
            try command.run()
            return ExitStatus.ok.rawValue
        } catch let error as CommandError {
            // A line of our own message stays a line; what came from outside within it cannot make one.
            let lines = error.message.split(separator: "\n").map { Printable.text(String($0)) }
            console.writeError("meshnode: " + lines.joined(separator: "\n") + "\n")
            return error.status.rawValue
        } catch {
            return report(error, on: console)
        }
    }

    /// What the parser has to say: help and version are answers, all else is a wrong command line.
    private static func report(_ error: any Error, on console: Console) -> Int32 {
        let status = MeshnodeCommand.exitCode(for: error)
        let message = MeshnodeCommand.fullMessage(for: error)
        if status.isSuccess {
            console.write(message + "\n")
        } else {
            console.writeError(message + "\n")
        }
        return status.rawValue
    }

    /// Ends the process.
    package static func exit(with status: Int32) -> Never {
        MeshnodeCommand.exit(withError: ExitCode(status))
    }
}

/// A command that needs the console.
protocol ConsoleCommand: ParsableCommand {
    /// Does it.
    /// - Returns: the exit status.
    func run(on console: Console) throws -> Int32
}
