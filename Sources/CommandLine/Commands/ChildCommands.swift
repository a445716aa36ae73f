internal import ArgumentParser

/// `meshnode worker`: the data plane. Started by the agent, and of no use to anyone else.
struct WorkerCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "The data plane; started by the agent.", shouldDisplay: false)

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []

    func run(on console: Console) throws -> Int32 { console.processes.worker(arguments) }
}

/// `meshnode controller`: the embedded controller. Started by the agent, and of no use to anyone else.
struct ControllerCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "controller", abstract: "The embedded controller; started by the agent.", shouldDisplay: false)

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []

    func run(on console: Console) throws -> Int32 { console.processes.controller(arguments) }
}
