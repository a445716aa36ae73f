internal import Agent
internal import ArgumentParser

/// `meshnode`: the root of the commands.
struct MeshnodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "meshnode",
        abstract: "An ambient service mesh: one agent per node, no sidecars.",
        discussion: """
            Start an agent:  meshnode agent --config DIR
            Look at it:      meshnode status
            Refused? Why:    meshnode explain shop/web api.pay:80

            Exit status: 0 ok, 1 unexpected, 2 the answer is no, 3 warnings with
            --fail-on warning, 4 agent not reached, 64 usage, 65 bad input,
            77 not permitted, 130 interrupted.
            """,
        version: MeshnodeVersion.current,
        groupedSubcommands: [
            CommandGroup(name: "Run", subcommands: [AgentCommand.self, ControllerCommand.self]),
            CommandGroup(
                name: "Look",
                subcommands: [
                    StatusCommand.self, CheckCommand.self, WorkloadsCommand.self, ServicesCommand.self,
                    PoliciesCommand.self, CertificatesCommand.self, ConnectionsCommand.self, EdgesCommand.self,
                    ExplainCommand.self, DiffCommand.self, VersionCommand.self,
                ]),
            CommandGroup(name: "Administer", subcommands: [TokenCommand.self, AuthorityCommand.self]),
            CommandGroup(
                name: "Inner",
                subcommands: [WorkerCommand.self, EmbeddedControllerCommand.self, SubscriberCommand.self]),
        ]
    )
}
