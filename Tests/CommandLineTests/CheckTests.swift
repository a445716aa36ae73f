import Testing

@testable import Agent
@testable import CommandLine

/// A machine that has all it needs.
private let goodFiles = [
    "/proc/sys/kernel/osrelease": "6.18.5\n",
    "/proc/modules": "nf_tables 1 0 - Live\nnft_redir 1 0 - Live\n",
    "/lib/modules/6.18.5/modules.dep": "kernel/net/netfilter/nft_socket.ko: kernel/net/x.ko\n",
    "/lib/modules/6.18.5/modules.builtin": "kernel/net/netfilter/nf_conntrack.ko\n",
    "/proc/filesystems": "nodev\ttmpfs\nnodev\tcgroup2\n\text4\n", "/proc/sys/fs/nr_open": "1048576\n",
    "/proc/sys/net/netfilter/nf_conntrack_max": "262144\n", "/run/systemd/timesync/synchronized": "",
    "/proc/self/status": "Name:\tx\nCapEff:\t000001ffffffffff\n",
    "/proc/net/tcp": "  sl  local_address rem_address   st\n   0: 00000000:0016 00000000:0000 0A 0\n",
]

private func items(_ files: [String: String], pre: Bool = true) -> [CheckReport.Item] {
    Preconditions(host: HostFacts { files[$0] }, isBeforeInstallation: pre).items
}

@Suite struct `A check before installation` {
    @Test func `passes on a machine that has all`() {
        #expect(items(goodFiles).allSatisfy { $0.outcome == .passed })
        #expect(run("check", "--pre", files: goodFiles).status == 0)
    }

    @Test func `reads as a list of marks`() {
        var files = goodFiles
        files["/proc/self/status"] = "CapEff:\t0000000000000000\n"
        files["/proc/filesystems"] = "nodev\ttmpfs\nnodev\tcgroup\n"
        let (status, transcript) = run("check", "--pre", files: files)
        #expect(status == 2)
        #expect(
            transcript.output == """
                ✓ kernel               Linux 6.18.5
                ✓ nf_tables            there; captures pods
                ✓ nft_redir            there; redirects connections to the agent
                ✓ nft_socket           there; tells the agent by its cgroup
                ✓ nf_conntrack         there; finds original destinations
                ! cgroup v2            this kernel has none: the agent is told from pods by a
                                       mark that a pod can set
                    do: use a kernel with CONFIG_CGROUPS
                ✓ open files           fs.nr_open is 1048576
                ✓ connection tracking  nf_conntrack_max is 262144
                ✓ clock                kept by a time service
                ✗ capabilities         this user lacks NET_ADMIN, SYS_ADMIN, NET_RAW,
                                       SYS_PTRACE, SETUID, SETGID, SETPCAP, KILL
                    do: run the check, and the agent, as root; or grant them to its container
                ✓ port 15020           free for metrics
                ✓ port 15021           free for readiness

                1 of 12 failed, 1 in doubt.

                """)
    }

    @Test(arguments: [
        ("/proc/sys/kernel/osrelease", "4.19.0-amd64\n", "kernel", CheckReport.Item.Outcome.failed),
        ("/proc/sys/kernel/osrelease", "5.15.0\n", "kernel", .passed),
        ("/proc/sys/kernel/osrelease", "garbage", "kernel", .unknown),
        ("/proc/modules", "", "nf_tables", .failed),
        ("/proc/sys/fs/nr_open", "1024\n", "open files", .warning),
        ("/proc/sys/net/netfilter/nf_conntrack_max", "x", "connection tracking", .unknown),
        ("/proc/self/status", "CapEff:\t0000000000001000\n", "capabilities", .failed),
        ("/proc/net/tcp", "h\n 0: 00000000:3AAC 00000000:0000 0A 0\n", "port 15020", .failed),
        ("/proc/net/tcp", "h\n 0: 00000000:3AAC 00000000:0000 01 0\n", "port 15020", .passed),
        ("/proc/net/tcp", "h\n 0: broken\n", "port 15020", .passed),
    ])
    func `finds what is missing`(
        file: String, contents: String, name: String, outcome: CheckReport.Item.Outcome
    ) throws {
        var files = goodFiles
        files[file] = contents
        let item = try #require(items(files).first { $0.name == name })
        #expect(item.outcome == outcome)
        #expect(outcome == .passed || outcome == .unknown || !item.remedy.isEmpty)
    }

    @Test func `on a machine that tells nothing passes nothing`() {
        #expect(items([:]).allSatisfy { $0.outcome != .passed })
    }
}

@Suite struct `A check of what runs` {
    private func check(
        keeper: KeeperView? = KeeperView(
            pid: 41, residentBytes: 1, worker: "ready", isWorkerReady: true, workerRestarts: 0),
        node: StatusReport? = .healthy, mesh: MeshStatusReport? = .healthy
    ) -> [CheckReport.Item] {
        struct Silence: Error {}
        return ComponentCheck(
            ask: .init(
                keeper: { keeper }, node: { if let node { node } else { throw Silence() } },
                mesh: { if let mesh { mesh } else { throw Silence() } })
        )
        .items
    }

    @Test func `passes when all is well`() {
        #expect(check().allSatisfy { $0.outcome == .passed })
    }

    @Test func `fails what is not well, each with what to do`() {
        let failed = check(node: .degraded, mesh: .degraded).filter { $0.outcome == .failed }
        #expect(failed.map(\.name) == ["worker", "configuration", "certificates", "capture", "node node-c", "MN2004"])
        #expect(failed.allSatisfy { !$0.remedy.isEmpty })
    }

    @Test func `doubts what does not answer`() {
        #expect(check(keeper: nil).first?.outcome == .unknown)
        #expect(check(node: nil).last?.outcome == .failed)
        #expect(check(mesh: nil).contains { $0.name == "mesh" && $0.outcome == .unknown })
    }
}
