import Addressing
import Glibc
import Mesh
import NamespaceTestSupport
import TestSupport
import Testing

@testable import Keeper
@testable import Kernel

/// The whole chain, as a runtime runs it: Debian's bridge and host-local, then the plugin.
extension KeeperTests {
    @Suite(
        .enabled(if: PluginProgram.path != nil, "meshnode-cni is not built"),
        .enabled(if: PluginProgram.hasBridge, "needs python3, and bridge and host-local in /usr/lib/cni"))
    struct ChainTests {
        private let bridge = "mnt\(CurrentProcess.pid)"

        private func chain(_ node: PluginTests.Node, _ arguments: String, name: String) throws -> RunningCommand {
            let directory = node.harness.directory
            let conflist = """
                {"cniVersion":"1.0.0","name":"\(bridge)","plugins":[
                 {"type":"bridge","bridge":"\(bridge)","isGateway":true,"ipam":{"type":"host-local",
                  "dataDir":"\(directory)/ipam","ranges":[[{"subnet":"10.205.0.0/24"}]]}},
                 {"type":"meshnode-cni","agentSocket":"\(directory)/cni.sock"}]}
                """
            try Files.writeAtomically(Array(conflist.utf8), to: "\(directory)/test.conflist", mode: 0o600)
            let plugins = try #require(PluginProgram.path).split(separator: "/").dropLast().joined(separator: "/")
            return try RunningCommand(
                """
                python3 \(Self.root)/hack/cni-chain.py --path /\(plugins):/usr/lib/cni --state \(directory)/results \
                \(directory)/test.conflist \(arguments)
                """, in: directory, name: name)
        }

        /// The checkout.
        private static var root: String {
            #filePath.split(separator: "/").dropLast(4).reduce(into: "") { $0 += "/\($1)" }
        }

        private func capture(_ name: String) -> PodVerdict.Outcome {
            .capture(
                PodWish(
                    uid: WorkloadUID(cluster: "Kubernetes", podNamespace: "shop", podName: name), namespace: "shop",
                    name: name, addresses: []))
        }

        @Test func `a pod behind the bridge is captured by its chain, checked, and let go`() throws {
            let node = try PluginTests.Node()
            defer {
                node.end()
                shell("ip link del \(bridge)")
            }
            let pod = TestNamespace()
            let adding = try chain(node, "--pod shop/web add c1 \(pod.path)", name: "add")
            try node.answer(node.question().id, capture("web"))
            let (status, output) = try adding.wait()
            #expect(status == 0, "\(output)")
            #expect(output.contains("10.205.0.2/24"))
            #expect(pod.redirects)
            #expect(try pod.open().addresses().contains(ip("10.205.0.2")))
            #expect(try chain(node, "--pod shop/web check c1 \(pod.path)", name: "check").wait() == (0, ""))
            #expect(try chain(node, "--pod shop/web del c1 \(pod.path)", name: "del").wait() == (0, ""))
            #expect(node.harness.log.contains("CNI DEL of pod shop/web (c1/eth0): released"))
        }

        @Test func `a pod that cannot be captured does not start, and its chain is undone`() throws {
            let node = try PluginTests.Node()
            defer {
                node.end()
                shell("ip link del \(bridge)")
            }
            let pod = TestNamespace()
            let taken = try pod.open().performSystemCalls { () throws(SystemError) in
                try PodSockets.openListener(port: 15001, mark: nil)
            }
            let adding = try chain(node, "--pod shop/web add c1 \(pod.path)", name: "add")
            try node.answer(node.question().id, capture("web"))
            let (status, output) = try adding.wait()
            #expect(status == 1)
            #expect(output.contains("cannot be captured: port 15001"))
            #expect(try pod.open().addresses().isEmpty)
            _ = consume taken
        }
    }
}
