internal import Agent
internal import ArgumentParser

/// `meshnode agent`: this node's part of the mesh.
struct AgentCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent",
        abstract: "Run this node's agent: capture enrolled pods and carry their traffic.",
        discussion: """
            Needs root, or NET_ADMIN, SYS_ADMIN, NET_RAW, SYS_PTRACE, SETUID, SETGID,
            SETPCAP and KILL. Runs in the foreground until SIGTERM or SIGINT. Pods with
            the label meshnode.dev/mesh: enabled on themselves or on their namespace are
            enrolled.

            With --config the agent embeds the mesh's controller; with --listen, agents
            of other nodes may use it. With --controller it uses one that is elsewhere:
              meshnode token create --node NAME > FILE     (where the controller is)
              meshnode agent --controller HOST:15012 --join-token FILE
            To upgrade, start the new agent with --take-over beside the running one.
            """
    )

    @OptionGroup(title: "Controller") var controller: ControllerOptions
    @OptionGroup(title: "Certificate authority") var authority: AuthorityOptions
    @OptionGroup(title: "Certificates") var lifetime: LifetimeOptions
    @OptionGroup(title: "Node") var node: NodeOptions
    @OptionGroup(title: "Log") var log: LogOptions
    @OptionGroup(title: "Ports") var ports: PortOptions

    func run(on console: Console) throws -> Int32 {
        console.processes.agent(try makeConfiguration(hostName: console.hostName()))
    }

    /// The configuration that these options ask for.
    func makeConfiguration(hostName: String) throws -> AgentConfiguration {
        let name = node.node ?? hostName
        guard !name.isEmpty else {
            throw CommandError(.usage, "this machine has no host name: name the node with --node")
        }
        return AgentConfiguration(
            controller: controller.makeController(authority, lifetime), node: name,
            trustDomain: node.trustDomain, rootNamespaces: node.rootNamespaces, runDirectory: node.runDirectory,
            loops: node.loops, logFormat: log.logFormat, logLevel: log.logLevel,
            metricsPort: ports.metricsPort, readinessPort: ports.readinessPort,
            drainDeadlineSeconds: node.drainDeadline.seconds, withdrawsOnExit: node.withdrawOnExit,
            takesOver: node.takeOver)
    }
}
