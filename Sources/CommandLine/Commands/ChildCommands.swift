internal import ArgumentParser

/// `meshnode worker`: the data plane. Started by the agent, and of no use to anyone else.
struct WorkerCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "The data plane; started by the agent.", shouldDisplay: false)

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []

    func run(on console: Console) throws -> Int32 { console.processes.worker(arguments) }
}

/// `meshnode embedded-controller`: the agent's own controller. Started by the agent, and of no use to anyone else.
struct EmbeddedControllerCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "embedded-controller", abstract: "The agent's own controller; started by it.",
        shouldDisplay: false)

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []

    func run(on console: Console) throws -> Int32 { console.processes.embeddedController(arguments) }
}

/// `meshnode subscriber`: brings the configuration from a controller elsewhere. Started by the agent, and of no use to
/// anyone else.
struct SubscriberCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "subscriber", abstract: "The link to a controller elsewhere; started by the agent.",
        shouldDisplay: false)

    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []

    func run(on console: Console) throws -> Int32 { console.processes.subscriber(arguments) }
}
