import Foundation
import Testing

extension OnTwoNodes.Identities {
    @Suite final class `The root is changed` {
        let mesh: IdentityMesh
        /// Of the certificates that were seen.
        private var serials: [Node: Set<String>] = [:]
        private let loads: [ContinuousLoad]

        init() throws {
            mesh = try IdentityMeshTrait.shared()
            try mesh.run(lifetime: "6s")
            loads = [
                try ContinuousLoad(mesh, from: IdentityMesh.web, to: IdentityMesh.api),
                try ContinuousLoad(mesh, from: IdentityMesh.api, to: IdentityMesh.web),
            ]
        }

        /// Of all connections since the last look at least some were made each way, and none failed.
        private func expectNoFailures(_ step: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
            for (way, load) in zip(["a to b", "b to a"], loads) {
                let count = try load.count()
                #expect(count.failures == [], "\(step), \(way)", sourceLocation: sourceLocation)
                #expect(count.answered > 10, "\(step), \(way)", sourceLocation: sourceLocation)
            }
        }

        private func waitForRoots(_ count: Int) throws {
            try eventually("both nodes trust \(count) roots", within: 15) {
                try noteSerials()
                return try Node.allCases.allSatisfy { try mesh.roots(on: $0) == count }
            }
        }

        private func waitForNewSigner() throws {
            do {
                try eventually("everybody has a certificate of the root that signs now", within: 30) {
                    try noteSerials()
                    return try mesh.holdersOfOthers().isEmpty
                }
            } catch {
                throw CommandFailed(description: "\(error): others have \(try mesh.holdersOfOthers())")
            }
        }

        @Test func `step by step, and back, while certificates live six seconds, and no connection fails`() throws {
            let begin = ContinuousClock.now
            let held = try Dialogue.holding(
                mesh.machine, in: IdentityMesh.web.name, to: mesh.machine.v4(IdentityMesh.api), PodServer.echo)
            let old = try mesh.signingRoot

            try mesh.administer("rotate", "begin")
            try expectRefusal(of: "activate", because: "the new root was announced")
            try waitForRoots(2)
            try expectNoFailures("A signs, A and B trusted")

            try eventually("the new root may sign") {
                try mesh.command(["authority", "rotate", "activate"]).status == 0
            }
            let new = try mesh.signingRoot
            #expect(new != old)
            try waitForNewSigner()
            try expectNoFailures("B signs, A and B trusted")

            try mesh.administer("rotate", "abort")
            #expect(try mesh.signingRoot == old)
            try waitForNewSigner()
            try expectNoFailures("A signs again, A and B trusted")
            try expectRefusal(of: "abort", because: "new root may be in use until")

            try mesh.administer("rotate", "activate", "--force")
            #expect(try mesh.signingRoot == new)
            try waitForNewSigner()
            #expect(try held.say("ping") == "pong")
            try expectNoFailures("B signs again, A and B trusted")

            // Certificates of nodes live for days.
            try expectRefusal(of: "finish", because: "old root may be in use until")
            try mesh.administer("rotate", "finish", "--force")
            try waitForRoots(1)
            #expect(try held.say("ping") == "pong", "a connection of before runs on for a while")
            try expectThatNodesFollow()
            try eventually("30 seconds are over", within: 30) {
                try noteSerials()
                return ContinuousClock.now - begin > .seconds(30)
            }
            try expectNoFailures("B signs, B trusted")
            for node in Node.allCases { #expect(serials[node, default: []].count >= 5, "renewed: \(serials)") }
        }

        private func noteSerials() throws {
            for node in Node.allCases {
                serials[node, default: []].insert(try mesh.certificate(on: node)["serial"].text)
            }
        }

        private func expectRefusal(of step: String, because cause: String) throws {
            let result = try mesh.command(["authority", "rotate", step])
            #expect(result.status != 0 && result.errors.contains(cause), "\(result)")
            #expect(result.errors.contains("--force"))
        }

        /// They connect with what they have from the new root, and get certificates.
        private func expectThatNodesFollow() throws {
            for node in Node.allCases {
                kill(try mesh.agent(node).child("subscriber"), SIGKILL)
                let before = try mesh.certificate(on: node)["serial"].text
                try eventually("node \(node) is connected and gets certificates", within: 15) {
                    try mesh.agent(node).status["controller"]["state"].text == "OK"
                        && mesh.certificate(on: node)["serial"].text != before
                }
            }
        }
    }
}
