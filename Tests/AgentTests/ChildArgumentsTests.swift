import Keeper
import Testing

@testable import Agent

@Suite struct `The arguments of a child process` {
    @Test func `bring every field of the configuration back`() throws {
        let configuration = AgentConfiguration(
            controller: .embedded(
                .init(
                    manifestDirectory: "/a b/\"mesh\"/ü",
                    authority: .init(
                        directory: "/ca",
                        files: .init(certificate: "/c.pem", key: "/k.pem", chain: "/chain.pem", root: "/r.pem")),
                    listenAddress: "[::]:15012")),
            node: "node-7", trustDomain: "example.org", rootNamespaces: ["root"], runDirectory: "/run/x", loops: 3,
            logFormat: .json, logLevel: .debug, metricsPort: 1, readinessPort: 2, drainDeadlineSeconds: 5,
            withdrawsOnExit: true)
        #expect(ChildArguments.decode(["worker"] + (try ChildArguments.encode(configuration))) == configuration)
    }

    @Test func `bring the defaults back`() throws {
        let configuration = AgentConfiguration(controller: .remote(.init(address: "h:1")), node: "n")
        #expect(ChildArguments.decode(try ChildArguments.encode(configuration)) == configuration)
    }

    @Test(arguments: [[], [""], ["--help"], ["{}"], ["[]"], ["null"], [#"{"node":7}"#]])
    func `are refused if a person wrote them`(arguments: [String]) {
        #expect(ChildArguments.decode(arguments) == nil)
    }

    @Test func `are refused wherever they are cut`() throws {
        let text = try #require(ChildArguments.encode(Samples.configuration()).first)
        for length in 0..<text.count { #expect(ChildArguments.decode([String(text.prefix(length))]) == nil) }
    }
}

@Suite struct `The start of an agent` {
    @Test func `is refused without the directory of manifests, by its name`() throws {
        let directory = try TemporaryDirectory()
        try StartUpCheck.check(Samples.configuration(manifests: directory.path))
        let error = #expect(throws: AgentError.self) {
            try StartUpCheck.check(Samples.configuration(manifests: directory.path + "/none"))
        }
        #expect(error?.code == .badConfiguration)
        #expect(error?.message.contains(directory.path + "/none cannot be read") == true)
    }

    @Test func `tells by its exit status what to mend`() {
        #expect(AgentExit.status(of: AgentError(.badConfiguration, "")) == 65)
        #expect(AgentExit.status(of: KeeperError(.missingCapability, "")) == 77)
        #expect(AgentExit.status(of: KeeperError(.addressInUse, "")) == 1)
    }
}
