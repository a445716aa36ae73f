internal import Agent
internal import ArgumentParser
internal import CertificateAuthority
internal import Kernel
internal import Mesh

/// `meshnode token`: lets nodes join.
struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Let nodes join the mesh: make, list and delete join tokens.",
        discussion: """
            A token lets the one node in that it names, once. Run these where the
            controller's CA is.
            """,
        subcommands: [TokenCreateCommand.self, TokenListCommand.self, TokenDeleteCommand.self]
    )
}

/// Where the authority is whose tokens are meant.
struct TokenDirectoryOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Where the controller's CA is kept.", valueName: "dir"))
    var caDirectory = "/var/lib/meshnode/ca"

    var store: JoinTokenStore { JoinTokenStore(directory: caDirectory) }
}

/// `meshnode token create`.
struct TokenCreateCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a token for one node, and print it.",
        discussion: """
            Keep it secret until it is used:
              meshnode token create --node node-b > token
            and on node-b: meshnode agent --controller HOST:15012 --join-token token
            """)

    @Option(help: ArgumentHelp("The node that it lets in, as its agent has it in --node.", valueName: "name"))
    var node: String

    @Option(help: ArgumentHelp("How long it can be used.", valueName: "time"))
    var lifetime = Seconds(Int(JoinTokenStore.lifetimeInSeconds))

    @Option(help: ArgumentHelp("Trust domain of the mesh.", valueName: "name"))
    var trustDomain = "cluster.local"

    @OptionGroup(title: "Certificate authority") var authority: AuthorityOptions

    func run(on console: Console) throws -> Int32 {
        guard let domain = TrustDomain(trustDomain) else { return ExitStatus.usage.rawValue }
        try reporting {
            let now = WallClock.secondsSince1970
            let running = try authority.open(domain, now: now)
            let token = try running.tokens.create(
                node: node, lifetimeInSeconds: Int64(lifetime.seconds), now: now,
                rootFingerprint: try running.issuer.rootFingerprint())
            console.write(token + "\n")
        }
        return ExitStatus.ok.rawValue
    }

    func validate() throws {
        try TrustDomainOption.validate(trustDomain)
    }
}

/// `meshnode token list`.
struct TokenListCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "The tokens that are kept, the newest first; their secrets are not.")

    @OptionGroup var directory: TokenDirectoryOptions

    func run(on console: Console) throws -> Int32 {
        try reporting {
            let now = WallClock.secondsSince1970
            let entries = try directory.store.list()
            guard !entries.isEmpty else {
                return console.write("No join tokens are kept in \(Printable.text(directory.caDirectory)).\n")
            }
            var table = Table(["TOKEN", "NODE", "STATE", "UNTIL"], gap: 2)
            for entry in entries {
                table.append([
                    entry.id, entry.node, entry.state(at: now), "\(Timestamp(secondsSince1970: entry.expiresAt))",
                ])
            }
            console.write(table.text)
        }
        return ExitStatus.ok.rawValue
    }
}

/// `meshnode token delete`.
struct TokenDeleteCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "From now on the token lets nobody in. Nodes that are in stay in.")

    @Argument(help: ArgumentHelp("As `meshnode token list` shows it.", valueName: "token"))
    var id: String

    @OptionGroup var directory: TokenDirectoryOptions

    func run(on console: Console) throws -> Int32 {
        var existed = false
        try reporting { existed = try directory.store.delete(id: id) }
        guard existed else {
            throw CommandError(.badInput, "there is no token '\(id)'; see meshnode token list")
        }
        return ExitStatus.ok.rawValue
    }
}

extension JoinTokenStore.Entry {
    fileprivate func state(at now: Int64) -> String {
        if usedAt != nil { return "used" }
        return expiresAt < now ? "expired" : "open"
    }
}

/// What the authority refuses becomes a message of the command.
private func reporting(_ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as AuthorityError {
        throw CommandError(.badInput, error.description)
    }
}
