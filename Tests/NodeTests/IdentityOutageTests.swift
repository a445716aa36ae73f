import Foundation
import Testing

extension OnTwoNodes.Identities {
    @Suite struct `The authority is down` {
        let mesh: IdentityMesh

        init() throws {
            mesh = try IdentityMeshTrait.shared()
            try mesh.run(lifetime: "16s")
        }

        private func serials() throws -> [String] {
            try Node.allCases.map { try mesh.certificate(on: $0)["serial"].text }
        }

        @Test func `past half of the certificates' life: they serve on and are renewed when it is back`() throws {
            let loads = [
                try ContinuousLoad(mesh, from: IdentityMesh.web, to: IdentityMesh.api),
                try ContinuousLoad(mesh, from: IdentityMesh.api, to: IdentityMesh.web),
            ]
            // Of the same age, and young.
            for node in Node.allCases { try mesh.restartAgent(node) }
            try mesh.waitUntilReady()
            for load in loads { _ = try load.count() }
            let before = try serials()
            mesh.controller?.freeze()
            try eventually("both tell that they cannot renew", within: 20) {
                try Node.allCases.allSatisfy { try !mesh.problems("MN4003", on: $0).isEmpty }
            }
            let during = try serials()
            mesh.controller?.thaw()
            #expect(during == before)
            for node in Node.allCases {
                try eventually("node \(node) has renewed", within: 15) {
                    try !before.contains(mesh.certificate(on: node)["serial"].text)
                        && mesh.problems("MN4003", on: node).isEmpty
                }
            }
            for load in loads {
                let count = try load.count()
                #expect(count.failures == [])
                #expect(count.answered > 10)
            }
        }

        @Test func `until they expire: new connections are refused and say why, until it is back`() throws {
            let web = IdentityMesh.web
            let held = try Dialogue.holding(
                mesh.machine, in: web.name, to: mesh.machine.v4(IdentityMesh.api), PodServer.echo)
            let workers = try Node.allCases.map { try mesh.agent($0).child("worker") }
            mesh.controller?.freeze()
            for node in Node.allCases {
                try eventually("node \(node) tells that its certificate has expired", within: 30) {
                    try mesh.problems("MN4002", on: node).contains { $0.contains("cannot be renewed") }
                }
            }
            #expect(try mesh.echo() != "x|eof")
            #expect(try mesh.echo(from: IdentityMesh.api) != "x|eof")
            #expect(try held.say("ping") == "pong", "what was open runs on")
            for node in Node.allCases {
                let refusal = try #require(try mesh.agent(node).refusals.last { $0["direction"].text == "outbound" })
                #expect(refusal["reason"].text == "CERT_EXPIRED")
                #expect(refusal["detail"].text.contains("could not be renewed"), "\(refusal)")
                let status = try mesh.agent(node).status
                #expect(status["verdict"].text == "DEGRADED")
                #expect(!status["agent"]["isReady"].bool)
            }
            let explanation = try mesh.agent(.a).report(
                "explain", web.fullName, "\(mesh.machine.v4(IdentityMesh.api)):\(PodServer.echo)")
            #expect(explanation["answer"].text == "DENIED", "\(explanation)")
            #expect(explanation["reason"].text == "CERT_EXPIRED", "\(explanation)")
            mesh.controller?.thaw()
            try mesh.waitUntilReady()
            for node in Node.allCases { #expect(try mesh.problems("MN4002", on: node).isEmpty) }
            #expect(try Node.allCases.map { try mesh.agent($0).child("worker") } == workers, "none was restarted")
            #expect(try held.say("ping") == "pong")
        }
    }
}
