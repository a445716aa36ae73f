internal import Agent
internal import ArgumentParser
internal import CertificateAuthority
internal import Kernel
internal import Mesh

/// `meshnode authority`: the mesh's own certificate authority, on the machine that has its directory.
struct AuthorityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "authority",
        abstract: "Look at the mesh's own CA, change its root, take certificates back.",
        discussion: """
            Works on the authority's directory; run it where the controller runs, as its
            user. The controller notices within a second. To change the root without
            cutting anybody off: rotate begin, a moment later rotate activate, and
            rotate finish when the last certificate of the old root has expired.
            """,
        subcommands: [AuthorityStatusCommand.self, AuthorityRotateCommand.self, AuthorityRevokeCommand.self])
}

/// `meshnode authority status`.
struct AuthorityStatusCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Roots, issuer, the change of root, and what was taken back.")

    @OptionGroup var place: AuthorityPlace
    @OptionGroup var form: AuthorityForm

    func run(on console: Console) throws -> Int32 {
        try place.work { directory, now in
            try form.write(AuthorityReport(directory, now: now), on: console)
            return .ok
        }
    }
}

/// `meshnode authority rotate`: the steps of a change of root.
struct AuthorityRotateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Change the root in three steps, none of which cuts anybody off.",
        subcommands: [Begin.self, Activate.self, Finish.self, Abort.self])

    /// What all steps take.
    struct Options: ParsableArguments {
        @OptionGroup var place: AuthorityPlace
        @OptionGroup var form: AuthorityForm

        /// Takes the step and says where the authority is then.
        func take(
            on console: Console, _ step: (AuthorityDirectory, Int64) throws(AuthorityError) -> Void
        ) throws -> Int32 {
            try place.work { directory, now in
                try step(directory, now)
                try form.write(AuthorityReport(directory, now: now), on: console)
                return .ok
            }
        }
    }

    struct Begin: ConsoleCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a new root, which is trusted from now on; the old one signs.")
        @OptionGroup var options: Options

        func run(on console: Console) throws -> Int32 {
            try options.take(on: console) { directory, now throws(AuthorityError) in
                try directory.beginRotation(now: now)
            }
        }
    }

    struct Activate: ConsoleCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let the new root sign; both are trusted.")
        @OptionGroup var options: Options
        @Flag(help: "Even if the new root was announced only a moment ago.") var force = false

        func run(on console: Console) throws -> Int32 {
            try options.take(on: console) { directory, now throws(AuthorityError) in
                try directory.activateRotation(isForced: force, now: now)
            }
        }
    }

    struct Finish: ConsoleCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stop trusting the old root, and destroy its key.")
        @OptionGroup var options: Options
        @Flag(help: "Even while certificates of the old root may be in use: their holders are cut off.")
        var force = false

        func run(on console: Console) throws -> Int32 {
            try options.take(on: console) { directory, now throws(AuthorityError) in
                try directory.finishRotation(isForced: force, now: now)
            }
        }
    }

    struct Abort: ConsoleCommand {
        static let configuration = CommandConfiguration(
            abstract: "One step back: the old root signs again, or the new one is forgotten.")
        @OptionGroup var options: Options
        @Flag(help: "Even while certificates of the new root may be in use: their holders are cut off.")
        var force = false

        func run(on console: Console) throws -> Int32 {
            try options.take(on: console) { directory, now throws(AuthorityError) in
                try directory.abortRotation(isForced: force, now: now)
            }
        }
    }
}

/// `meshnode authority revoke`.
struct AuthorityRevokeCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Take a certificate back: no peer accepts it any more, and tunnels that use it are cut.")

    @Argument(help: ArgumentHelp("Its serial number, as `meshnode certificates` shows it.", valueName: "serial"))
    var serial: String

    @OptionGroup var place: AuthorityPlace
    @OptionGroup var form: AuthorityForm

    func run(on console: Console) throws -> Int32 {
        try place.work { directory, now in
            try RevocationList(directory: directory.path).revoke(serial: serial, now: now)
            try form.write(AuthorityReport(directory, now: now), on: console)
            return .ok
        }
    }
}

/// Where the authority is.
struct AuthorityPlace: ParsableArguments {
    @Option(help: ArgumentHelp("The authority's directory, as `agent --ca-directory` has it.", valueName: "dir"))
    var caDirectory = "/var/lib/meshnode/ca"

    /// Works on the authority there, which must exist.
    /// - Throws: a `CommandError` that says what to do.
    func work(_ body: (AuthorityDirectory, _ now: Int64) throws -> ExitStatus) throws -> Int32 {
        do {
            return try body(AuthorityDirectory(existing: caDirectory), WallClock.secondsSince1970).rawValue
        } catch let error as AuthorityError {
            throw CommandError(Self.status(of: error), error.message)
        }
    }

    private static func status(of error: AuthorityError) -> ExitStatus {
        switch error.code {
        case .rotationRefused: .no
        case .invalidRequest, .invalidAuthority, .authorityExpired: .badInput
        case .permissionsTooOpen: .notPermitted
        case .fileUnusable, .identityRefused, .signingFailed, .tokenUnknown, .tokenExpired, .tokenForOtherNode,
            .tokenUsed:
            .unexpected
        }
    }
}

/// How the answer is written.
struct AuthorityForm: ParsableArguments {
    @Option(
        name: [.short, .customLong("output")], help: ArgumentHelp("table or json.", valueName: "form"),
        transform: Self.form)
    var output = OutputForm.table

    private static func form(_ text: String) throws -> OutputForm {
        guard let form = OutputForm(rawValue: text), form == .table || form == .json else {
            throw ValidationError("Choose table or json.")
        }
        return form
    }

    func write(_ report: AuthorityReport, on console: Console) throws {
        console.write(output == .json ? try ReportText.json(report) : report.text)
    }
}
