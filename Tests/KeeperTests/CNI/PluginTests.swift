import Addressing
import Glibc
import Mesh
import NamespaceTestSupport
import TestSupport
import Testing

@testable import Keeper
@testable import Kernel

private typealias Inherited = InheritedDescriptor

/// The plugin as a runtime calls it, a keeper on this kernel, and a controller that the test plays.
extension KeeperTests {
    @Suite(.enabled(if: PluginProgram.path != nil, "meshnode-cni is not built"))
    struct PluginTests {
        /// A keeper with its children.
        final class Node {
            let harness: KeeperHarness
            let worker: FakeChild
            let controller: FakeChild

            init(_ change: (inout KeeperConfiguration) -> Void = { _ in }) throws {
                harness = KeeperHarness(change)
                worker = try harness.next(isWorker: true)
                controller = try harness.next(isWorker: false)
            }

            func end() {
                harness.stop()
                kill(worker.pid, SIGKILL)
                harness.join()
            }

            /// The next question, about whom.
            func question() throws -> (id: UInt64, pod: String, uid: String) {
                let message = try controller.receive(KeeperToController.self, from: Inherited.Controller.keeper).0
                guard case .podQuestion(let id, let namespace, let name, let uid) = message else {
                    throw SystemError("question", EPROTO)
                }
                return (id, "\(namespace)/\(name)", uid)
            }

            func answer(_ id: UInt64, _ outcome: PodVerdict.Outcome) throws {
                try controller.send(
                    ControllerToKeeper.podVerdict(PodVerdict(id: id, outcome: outcome)), to: Inherited.Controller.keeper
                )
            }

            /// A call about which the controller is asked once.
            func call(
                _ sandbox: Sandbox, _ command: String = "ADD", _ outcome: PodVerdict.Outcome
            ) throws -> (status: Int32, output: String) {
                let running = try sandbox.start(command)
                let question = try question()
                #expect(question.pod == sandbox.pod)
                #expect(question.uid == sandbox.uid)
                try answer(question.id, outcome)
                return try running.wait()
            }
        }

        private func wish(_ pod: String, _ addresses: [String] = []) -> PodWish {
            let parts = pod.split(separator: "/").map(String.init)
            return PodWish(
                uid: WorkloadUID(cluster: "Kubernetes", podNamespace: parts[0], podName: parts[1]),
                namespace: parts[0], name: parts[1], addresses: addresses.map { ip($0) })
        }

        @Test func `an enrolled pod is captured when its ADD returns, and let go by its DEL`() throws {
            let node = try Node()
            defer { node.end() }
            let sandbox = Sandbox("shop/web", "10.203.1.1", node.harness)
            let (status, output) = try node.call(sandbox, "ADD", .capture(wish("shop/web")))
            #expect(status == 0)
            #expect(output == sandbox.result)
            #expect(sandbox.namespace.redirects)
            #expect(try node.worker.nextLoopMessage().0 == .podEnrolled(wish("shop/web").uid))
            #expect(try sandbox.call("DEL") == (0, ""))
            #expect(try node.worker.nextLoopMessage().0 == .podWithdrawn(wish("shop/web").uid))
            #expect(try sandbox.call("DEL") == (0, ""))
        }

        @Test func `an ADD is repeated without harm`() throws {
            let node = try Node()
            defer { node.end() }
            let sandbox = Sandbox("shop/web", "10.203.2.1", node.harness)
            for _ in 0..<3 {
                #expect(try node.call(sandbox, "ADD", .capture(wish("shop/web"))).status == 0)
            }
            #expect(sandbox.namespace.redirects)
            #expect(try node.worker.nextLoopMessage().0 == .podEnrolled(wish("shop/web").uid))
            // Nothing was withdrawn in between: what comes next is the end of it.
            #expect(try sandbox.call("DEL").status == 0)
            #expect(try node.worker.nextLoopMessage().0 == .podWithdrawn(wish("shop/web").uid))
        }

        @Test func `a pod that is not enrolled is left alone`() throws {
            let node = try Node()
            defer { node.end() }
            let sandbox = Sandbox("shop/plain", "10.203.3.1", node.harness)
            let (status, output) = try node.call(sandbox, "ADD", .leave(reason: "its label says none"))
            #expect(status == 0)
            #expect(output == sandbox.result)
            #expect(!sandbox.namespace.isCaptured)
            #expect(node.harness.log.contains("not enrolled: its label says none"))
        }

        @Test func `a pod that cannot be captured does not start, and is told why`() throws {
            let node = try Node()
            defer { node.end() }
            let sandbox = Sandbox("shop/web", "10.203.4.1", node.harness)
            let taken = try sandbox.namespace.open().performSystemCalls { () throws(SystemError) in
                try PodSockets.openListener(port: 15001, mark: nil)
            }
            let (status, output) = try node.call(sandbox, "ADD", .capture(wish("shop/web")))
            #expect(status == 1)
            #expect(output.contains("\"code\":100"))
            #expect(output.contains("pod shop/web is enrolled and cannot be captured: port 15001 of the pod is in use"))
            #expect(!sandbox.namespace.isCaptured)
            _ = consume taken
            #expect(try node.call(sandbox, "ADD", .capture(wish("shop/web"))).status == 0)
            #expect(sandbox.namespace.redirects)
        }

        @Test func `without a verdict in time the pod does not start, and is to be tried again`() throws {
            let node = try Node()
            defer { node.end() }
            let sandbox = Sandbox("shop/web", "10.203.5.1", node.harness)
            let silent = try sandbox.start("ADD")
            let unknown = Sandbox("shop/new", "10.203.5.2", container: "c2", node.harness)
            let asking = try unknown.start("ADD")
            var unknownQuestions = 0
            while unknownQuestions < 3 {
                let question = try node.question()
                guard question.pod == "shop/new" else { continue }
                unknownQuestions += 1
                try node.answer(question.id, .unknown(reason: "no such pod yet"))
            }
            // Asked again, it may know.
            while true {
                let question = try node.question()
                guard question.pod == "shop/new" else { continue }
                try node.answer(question.id, .capture(wish("shop/new")))
                break
            }
            #expect(try asking.wait().status == 0)
            let (status, output) = try silent.wait()
            #expect(status == 1)
            #expect(output.contains("\"code\":11"))
            #expect(output.contains("whether it is enrolled is not known (the controller does not answer)"))
            #expect(!sandbox.namespace.isCaptured)
        }

        @Test func `without a controller the pods of excluded namespaces start, others do not`() throws {
            let harness = KeeperHarness { $0.controllerArguments = nil }
            let worker = try harness.next(isWorker: true)
            defer {
                harness.stop()
                kill(worker.pid, SIGKILL)
                harness.join()
            }
            let dns = Sandbox("kube-system/dns", "10.203.6.1", harness)
            #expect(try dns.call("ADD") == (0, dns.result))
            let web = Sandbox("shop/web", "10.203.6.2", container: "c2", harness)
            let (status, output) = try web.call("ADD")
            #expect(status == 1)
            #expect(output.contains("(no controller runs)"))
            #expect(try web.call("STATUS").output.contains("\"code\":50"))
        }

        @Test func `the keeper's own list of excluded namespaces counts, too`() throws {
            let node = try Node { $0.excludedNamespaces = ["tools"] }
            defer { node.end() }
            let sandbox = Sandbox("tools/ci", "10.203.7.1", node.harness)
            #expect(try sandbox.call("ADD") == (0, sandbox.result))
        }

        @Test func `a verdict about another pod captures nothing`() throws {
            let node = try Node()
            defer { node.end() }
            let sandbox = Sandbox("shop/web", "10.203.8.1", node.harness)
            let (status, output) = try node.call(sandbox, "ADD", .capture(wish("bank/vault")))
            #expect(status == 1)
            #expect(output.contains("the controller spoke of another pod"))
            #expect(!sandbox.namespace.isCaptured)
        }

        @Test func `a namespace without the address that the chain gave is not captured`() throws {
            let node = try Node()
            defer { node.end() }
            let sandbox = Sandbox("shop/web", "10.203.9.1", node.harness)
            shell("ip -n \(sandbox.namespace.name) addr flush dev lo")
            let (status, output) = try node.call(sandbox, "ADD", .capture(wish("shop/web")))
            #expect(status == 1)
            #expect(output.contains("has none of the addresses that it was given: 10.203.9.1"))
        }

        @Test func `the same pod in a new sandbox replaces the old one`() throws {
            let node = try Node()
            defer { node.end() }
            let first = Sandbox("shop/web", "10.203.10.1", container: "old", node.harness)
            #expect(try node.call(first, "ADD", .capture(wish("shop/web"))).status == 0)
            #expect(try node.worker.nextLoopMessage().0 == .podEnrolled(wish("shop/web").uid))
            let second = Sandbox("shop/web", "10.203.10.2", container: "new", node.harness)
            #expect(try node.call(second, "ADD", .capture(wish("shop/web"))).status == 0)
            #expect(try node.worker.nextLoopMessage().0 == .podWithdrawn(wish("shop/web").uid))
            #expect(try node.worker.nextLoopMessage().0 == .podEnrolled(wish("shop/web").uid))
            #expect(second.namespace.redirects)
            // The late DEL of the old one does not touch the new.
            #expect(try first.call("DEL").status == 0)
            #expect(try second.call("CHECK") == (0, ""))
        }

        @Test func `an address that another pod gets does not bring the identity of its former pod`() throws {
            let node = try Node()
            defer { node.end() }
            let address = "10.203.11.1"
            do {
                let former = Sandbox("bank/vault", address, container: "old", node.harness)
                #expect(try node.call(former, "ADD", .capture(wish("bank/vault"))).status == 0)
                #expect(try node.worker.nextLoopMessage().0 == .podEnrolled(wish("bank/vault").uid))
            }
            // The namespace went without a DEL, and the controller still names the pod by its address.
            try node.controller.send(
                ControllerToKeeper.podWanted(wish("bank/vault", [address])), to: Inherited.Controller.keeper)
            let next = Sandbox("shop/plain", address, container: "new", node.harness)
            #expect(try node.call(next, "ADD", .leave(reason: "no label")).status == 0)
            let report = try node.worker.report { $0.uid == wish("bank/vault").uid && $0.detail.contains("shop/plain") }
            #expect(report.state == .pending)
            #expect(!next.namespace.isCaptured)
        }

        @Test func `a CHECK fails when the rules were flushed, and not when they are set right`() throws {
            let node = try Node()
            defer { node.end() }
            let sandbox = Sandbox("shop/web", "10.203.12.1", node.harness)
            #expect(try node.call(sandbox, "ADD", .capture(wish("shop/web"))).status == 0)
            #expect(try sandbox.call("CHECK") == (0, ""))
            var refusals = 0
            // The keeper itself looks once a second, and may be there first.
            for _ in 0..<5 where refusals == 0 {
                shell("ip netns exec \(sandbox.namespace.name) nft flush ruleset")
                let (status, output) = try sandbox.call("CHECK")
                guard status != 0 else { continue }
                refusals += 1
                #expect(output.contains("\"code\":101"))
                #expect(output.contains("its rules were changed by another"))
            }
            #expect(refusals == 1)
            #expect(try sandbox.call("CHECK") == (0, ""))
            #expect(sandbox.namespace.redirects)
        }

        @Test func `a CHECK of a pod that is enrolled and was never captured fails`() throws {
            let node = try Node()
            defer { node.end() }
            let sandbox = Sandbox("shop/web", "10.203.13.1", node.harness)
            #expect(try node.call(sandbox, "CHECK", .capture(wish("shop/web"))).output.contains("\"code\":101"))
            #expect(try node.call(sandbox, "CHECK", .leave(reason: "none")) == (0, ""))
        }

        @Test func `a GC lets go of what is not valid, and of nothing that did not come by the runtime`() throws {
            let node = try Node()
            defer { node.end() }
            let found = TestNamespace(addresses: ["10.203.14.9/32"])
            try node.controller.send(
                ControllerToKeeper.podWanted(wish("shop/found", ["10.203.14.9"])), to: Inherited.Controller.keeper)
            #expect(try node.worker.nextLoopMessage().0 == .podEnrolled(wish("shop/found").uid))
            let sandboxes = (1...2).map { number in
                Sandbox("shop/web\(number)", "10.203.14.\(number)", container: "c\(number)", node.harness)
            }
            for sandbox in sandboxes {
                #expect(try node.call(sandbox, "ADD", .capture(wish(sandbox.pod))).status == 0)
                #expect(try node.worker.nextLoopMessage().0 == .podEnrolled(wish(sandbox.pod).uid))
            }
            let valid = #","cni.dev/valid-attachments":[{"containerID":"c2","ifname":"eth0"}]"#
            #expect(try sandboxes[0].call("GC", more: valid) == (0, ""))
            #expect(try node.worker.nextLoopMessage().0 == .podWithdrawn(wish("shop/web1").uid))
            #expect(try sandboxes[1].call("CHECK") == (0, ""))
            #expect(found.redirects)
        }

        @Test func `the status is good once the controller has named all`() throws {
            let node = try Node()
            defer { node.end() }
            let sandbox = Sandbox("shop/web", "10.203.15.1", node.harness)
            #expect(try sandbox.call("STATUS").output.contains("has not said yet which pods are enrolled"))
            try node.controller.send(ControllerToKeeper.podsComplete, to: Inherited.Controller.keeper)
            // The plugin's question may overtake the controller's word.
            var status: Int32 = 1
            for _ in 0..<50 where status != 0 { status = try sandbox.call("STATUS").status }
            #expect(status == 0)
        }

        @Test func `a plugin that was killed leaves no pod captured`() throws {
            let node = try Node()
            defer { node.end() }
            let sandbox = Sandbox("shop/web", "10.203.16.1", node.harness)
            let running = try sandbox.start("ADD")
            let question = try node.question()
            running.kill()
            _ = try running.wait()
            try node.answer(question.id, .capture(wish("shop/web")))
            // The answer to another's question comes after that one.
            let other = Sandbox("shop/other", "10.203.16.2", container: "c2", node.harness)
            #expect(try node.call(other, "ADD", .capture(wish("shop/other"))).status == 0)
            #expect(!sandbox.namespace.isCaptured)
        }

        @Test func `in a directory of nothing but itself the plugin answers, 200 times`() throws {
            let node = try Node()
            defer { node.end() }
            let sandbox = Sandbox("shop/web", "10.203.18.1", node.harness)
            let program = try #require(PluginProgram.path)
            shell("cp \(program) \(node.harness.directory)/plugin")
            let clock = ContinuousClock()
            var times: [String: [Duration]] = [:]
            for command in [String](repeating: "ADD", count: 100) + [String](repeating: "DEL", count: 100) {
                let began = clock.now
                let running = try sandbox.start(command, isConfined: true)
                if command == "ADD" { try node.answer(node.question().id, .capture(wish("shop/web"))) }
                let (status, output) = try running.wait()
                times[command, default: []].append(clock.now - began)
                #expect(status == 0, "\(output)")
            }
            for (command, durations) in times {
                let sorted = durations.sorted()
                print("\(command), shell and chroot(8) included: median \(sorted[50]), 99 of 100 within \(sorted[98])")
            }
        }

        @Test func `bytes that are no frame end the connection, and the keeper goes on`() throws {
            let node = try Node()
            defer { node.end() }
            for bytes in [Array("GET / HTTP/1.1\r\n\r\n".utf8), Array("MNQ1".utf8) + [0xff, 0xff, 0xff, 0xff], [0]] {
                let socket = try UnixSocket.connect("\(node.harness.directory)/cni.sock")
                try socket.writeAll(bytes)
                guard case .ended = socket.readOnce(limit: 16) else {
                    Issue.record("\(bytes) were answered")
                    continue
                }
            }
            let sandbox = Sandbox("kube-system/dns", "10.203.17.1", node.harness)
            #expect(try sandbox.call("ADD").status == 0)
        }
    }
}
