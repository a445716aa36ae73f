package import Agent

/// What a command touches of the world, as values and functions, so that a test can stand in for all of it.
package struct Console {
    /// Writes to standard output, without adding a line end.
    package var write: (String) -> Void
    /// Writes to standard error, without adding a line end.
    package var writeError: (String) -> Void
    /// Whether standard output is a terminal.
    package var isTerminal: Bool
    /// The environment.
    package var environment: [String: String]
    /// Name of this machine, as `--node` has it by default.
    package var hostName: () -> String
    /// The client for the agent at a socket's path.
    package var makeClient: (String) -> any AgentClient
    /// Waits between two looks of `--watch`; false if there is not to be another.
    package var pause: (Duration) -> Bool
    /// What the keeper behind a socket tells; nil if nobody answers.
    package var readKeeper: (String) -> KeeperView?
    /// The contents of a file as text; nil if it cannot be read.
    package var readFile: (String) -> String?
    /// The wall's clock.
    package var now: () -> Timestamp
    /// The processes that commands become.
    package var processes: Processes

    /// The processes; each function returns when the process is to end, with its exit status.
    package struct Processes {
        /// The keeper, which starts the others.
        package var agent: (AgentConfiguration) -> Int32
        /// The data plane; takes what the keeper wrote on its command line.
        package var worker: ([String]) -> Int32
        /// The embedded controller; takes what the keeper wrote on its command line.
        package var embeddedController: ([String]) -> Int32
        /// The link to a controller elsewhere; takes what the keeper wrote on its command line.
        package var subscriber: ([String]) -> Int32
        /// A controller without an agent.
        package var controller: (ControllerSettings) -> Int32

        package init(
            agent: @escaping (AgentConfiguration) -> Int32, worker: @escaping ([String]) -> Int32,
            embeddedController: @escaping ([String]) -> Int32, subscriber: @escaping ([String]) -> Int32,
            controller: @escaping (ControllerSettings) -> Int32
        ) {
            self.agent = agent
            self.worker = worker
            self.embeddedController = embeddedController
            self.subscriber = subscriber
            self.controller = controller
        }
    }

    package init(
        write: @escaping (String) -> Void, writeError: @escaping (String) -> Void, isTerminal: Bool,
        environment: [String: String], hostName: @escaping () -> String,
        makeClient: @escaping (String) -> any AgentClient, pause: @escaping (Duration) -> Bool,
        readKeeper: @escaping (String) -> KeeperView? = { _ in nil },
        readFile: @escaping (String) -> String? = { _ in nil },
        now: @escaping () -> Timestamp = { Timestamp(secondsSince1970: 0) }, processes: Processes
    ) {
        self.write = write
        self.writeError = writeError
        self.isTerminal = isTerminal
        self.environment = environment
        self.hostName = hostName
        self.makeClient = makeClient
        self.pause = pause
        self.readKeeper = readKeeper
        self.readFile = readFile
        self.now = now
        self.processes = processes
    }

    /// Colours only on a terminal that has them, and not for those who said no (no-color.org).
    var palette: Palette {
        let refusesColor = !(environment["NO_COLOR"] ?? "").isEmpty || environment["TERM"] == "dumb"
        return Palette(isColored: isTerminal && !refusesColor)
    }
}
