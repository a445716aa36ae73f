import Foundation
import Testing

extension OnTwoNodes {
    @Suite struct `An agent that cannot start` {
        let mesh: TwoNodes

        init() throws {
            mesh = try sharedMesh()
        }

        /// Starts another agent on node a, which must end by itself.
        private func start(
            _ name: String, wrapper: [String] = [], ports: (Int, Int) = (15_920, 15_921), _ arguments: [String]
        ) throws -> (status: Int32, log: String) {
            let agent = try Agent(
                mesh.machine, in: Node.a.rawValue, directory: mesh.directory, name: name, wrapper: wrapper,
                arguments: arguments + [
                    "--ca-directory", mesh.directory + "/ca", "--node", "node-other", "--metrics-port", "\(ports.0)",
                    "--readiness-port", "\(ports.1)",
                ])
            let status = try agent.waitForExit()
            return (status, agent.log)
        }

        private var config: [String] { ["--config", mesh.manifests.directory] }

        @Test func `says that it does not know a flag, and ends with 64`() throws {
            let (status, log) = try start("flag", config + ["--no-such-flag"])
            #expect(status == 64)
            #expect(log.contains("--no-such-flag"))
        }

        @Test(arguments: [
            ["--loops", "0"], ["--trust-domain", "Not A Domain"], ["--drain-deadline", "soon"], ["--node", ""],
        ])
        func `says what is wrong with a value, and ends with 64`(arguments: [String]) throws {
            // The name of the node comes first, so that an empty one is not overruled.
            let result = try Command.run([try AgentBinary.path, "agent", "--config", "/"] + arguments)
            #expect(result.status == 64)
            #expect(!result.errors.isEmpty)
        }

        @Test func `says that the manifests' directory is missing, and ends with 65`() throws {
            let (status, log) = try start("missing", ["--config", mesh.directory + "/nowhere"])
            #expect(status == 65)
            #expect(log.contains(mesh.directory + "/nowhere"))
        }

        @Test func `says that the manifests' directory is a file, and ends with 65`() throws {
            let (status, log) = try start("file", ["--config", mesh.manifests.directory + "/services.yaml"])
            #expect(status == 65)
            #expect(log.contains("services.yaml"))
        }

        @Test func `names the port that is taken`() throws {
            for (ports, taken) in [((15_020, 15_921), "15020"), ((15_920, 15_021), "15021")] {
                let (status, log) = try start("port", ports: ports, config)
                #expect(status == 1)
                #expect(log.contains(taken) && log.contains("in use"), "\(log)")
            }
        }

        @Test func `says that another agent runs on the node`() throws {
            let (status, log) = try start("agent-a", config)
            #expect(status == 1)
            let first = try mesh.agent(.a)
            #expect(
                log.contains("another agent") && log.contains("\(first.pid)") && log.contains("--take-over"),
                "\(log.suffix(500))")
            #expect(first.isRunning)
            #expect(try first.status["agent"]["isReady"].bool, "the first is untouched")
        }

        @Test(arguments: [
            "net_admin", "sys_admin", "net_raw", "sys_ptrace", "setuid", "setgid", "setpcap", "kill",
        ])
        func `names the capability that it lacks, and ends with 77`(capability: String) throws {
            let (status, log) = try start(
                "capability-\(capability)",
                wrapper: ["setpriv", "--inh-caps", "-\(capability)", "--bounding-set", "-\(capability)"], config)
            #expect(status == 77)
            #expect(log.contains("CAP_" + capability.uppercased()))
        }

        @Test func `leaves the mesh that runs as it is`() throws {
            #expect(try mesh.outcome(from: TwoNodes.web, to: mesh.address(TwoNodes.api), PodServer.echo) == "x|eof")
        }
    }
}
