internal import Agent

/// What a node must have before an agent can serve there. Pure: the same machine gives the same lines.
struct Preconditions {
    let host: HostFacts
    /// Before it, the agent's ports must be free and the one who checks must be able to start it.
    let isBeforeInstallation: Bool
    /// An agent captures pods here: so the kernel has what that takes, whatever its lists say.
    var hasCapturedPods = false

    /// The oldest kernel that the agent is made for: capture by cgroup in a pod's own namespace needs it.
    private static let oldestKernel = (5, 15)

    /// All lines, in order.
    var items: [CheckReport.Item] {
        let always = [kernel] + modules + [cgroup, openFiles, connectionTracking, clock]
        return isBeforeInstallation ? always + [capabilities] + ports : always
    }

    private var kernel: CheckReport.Item {
        guard let release = host.kernelRelease, let version = host.kernelVersion else {
            return .init("kernel", .unknown, "its release cannot be read", remedy: "run it on a Linux node")
        }
        guard version >= Self.oldestKernel else {
            return .init(
                "kernel", .failed, "Linux \(release) is too old", remedy: "use Linux 5.15 or later")
        }
        return .init("kernel", .passed, "Linux \(release)")
    }

    private var modules: [CheckReport.Item] {
        [
            ("nf_tables", "captures pods"), ("nft_redir", "redirects connections to the agent"),
            ("nft_socket", "tells the agent by its cgroup"), ("nf_conntrack", "finds original destinations"),
        ]
        .map { name, purpose in
            switch host.hasModule(name) {
            case true?: .init(name, .passed, "there; \(purpose)")
            case _ where hasCapturedPods: .init(name, .passed, "in use; \(purpose)")
            case false?:
                .init(name, .failed, "not there; it \(purpose)", remedy: "modprobe \(name), or a kernel that has it")
            case nil:
                .init(
                    name, .unknown, "cannot be told: no list of modules; it \(purpose)",
                    remedy: "modprobe \(name); or start the agent, which says so if it is missing")
            }
        }
    }

    private var cgroup: CheckReport.Item {
        // The agent mounts it for itself: it need not be mounted anywhere.
        guard host.hasFileSystem("cgroup2") else {
            return .init(
                "cgroup v2", .warning,
                "this kernel has none: the agent is told from pods by a mark that a pod can set",
                remedy: "use a kernel with CONFIG_CGROUPS")
        }
        return .init("cgroup v2", .passed, "there; tells the agent from pods")
    }

    private var openFiles: CheckReport.Item {
        guard let limit = host.number("/proc/sys/fs/nr_open") else {
            return .init("open files", .unknown, "fs.nr_open cannot be read")
        }
        guard limit >= 65_536 else {
            return .init(
                "open files", .warning, "fs.nr_open is \(limit): some \(limit / 3) connections at most",
                remedy: "sysctl -w fs.nr_open=1048576")
        }
        return .init("open files", .passed, "fs.nr_open is \(limit)")
    }

    private var connectionTracking: CheckReport.Item {
        guard let limit = host.number("/proc/sys/net/netfilter/nf_conntrack_max") else {
            return .init(
                "connection tracking", .unknown, "nf_conntrack_max cannot be read: the module is not loaded yet",
                remedy: "modprobe nf_conntrack")
        }
        guard limit >= 65_536 else {
            return .init(
                "connection tracking", .warning,
                "nf_conntrack_max is \(limit): a captured connection takes two entries",
                remedy: "sysctl -w net.netfilter.nf_conntrack_max=262144")
        }
        return .init("connection tracking", .passed, "nf_conntrack_max is \(limit)")
    }

    /// Certificates live for hours and less: a clock that nobody keeps drifts out of them.
    private var clock: CheckReport.Item {
        let marks = ["/run/systemd/timesync/synchronized", "/run/chrony/chronyd.pid", "/run/ntpd.pid"]
        guard marks.contains(where: { host.read($0) != nil }) else {
            return .init(
                "clock", .unknown, "no time service is seen to keep it (timesyncd, chrony, ntpd)",
                remedy: "systemctl enable --now systemd-timesyncd; or see that the host keeps it")
        }
        return .init("clock", .passed, "kept by a time service")
    }

    // MARK: Before installation

    /// Numbers of linux/capability.h, and what fails without each.
    private static let needed: [(bit: Int, name: String)] = [
        (12, "NET_ADMIN"), (21, "SYS_ADMIN"), (13, "NET_RAW"), (19, "SYS_PTRACE"), (7, "SETUID"), (6, "SETGID"),
        (8, "SETPCAP"), (5, "KILL"),
    ]

    private var capabilities: CheckReport.Item {
        guard let effective = host.effectiveCapabilities else {
            return .init("capabilities", .unknown, "cannot be read from /proc/self/status")
        }
        let missing = Self.needed.filter { effective & (1 << UInt64($0.bit)) == 0 }.map(\.name)
        guard missing.isEmpty else {
            return .init(
                "capabilities", .failed, "this user lacks \(missing.joined(separator: ", "))",
                remedy: "run the check, and the agent, as root; or grant them to its container")
        }
        return .init("capabilities", .passed, "all that the agent needs")
    }

    private var ports: [CheckReport.Item] {
        [(15_020, "metrics", "--metrics-port"), (15_021, "readiness", "--readiness-port")].map { port, what, option in
            let name = "port \(port)"
            guard let listening = host.listeningPorts else {
                return .init(name, .unknown, "/proc/net/tcp cannot be read")
            }
            guard listening.contains(UInt16(port)) else { return .init(name, .passed, "free for \(what)") }
            return .init(
                name, .failed, "somebody listens there already; it is for \(what)",
                remedy: "end that program (ss -ltnp 'sport = :\(port)'), or give the agent \(option)")
        }
    }
}
