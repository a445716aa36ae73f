import CNI
import Testing

@testable import Keeper

private func attachment(_ container: String, _ interface: String = "eth0") -> CNI.Attachment {
    CNI.Attachment(containerID: container, interfaceName: interface)
}

@Suite struct AttachmentTableTests {
    private func entry(_ name: String, cookie: UInt64) throws -> AttachmentTable.Entry {
        let invocation = PluginInvocation(
            command: "DEL", containerID: "x", interfaceName: "eth0",
            arguments: "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=\(name)",
            configuration: Array(#"{"cniVersion":"1.1.0"}"#.utf8))
        let pod = try #require(try PluginRequest(invocation).pod)
        return AttachmentTable.Entry(pod: pod, namespaceCookie: cookie, addresses: [])
    }

    @Test func `a namespace belongs to the pod for which it was attached, until it is detached`() throws {
        var table = AttachmentTable()
        table.added(attachment("a"), try entry("web", cookie: 7))
        #expect(table.owner(ofNamespace: 7)?.description == "shop/web")
        #expect(table.owner(ofNamespace: 8) == nil)
        let isLast1 = table.removed(attachment("a"))
        #expect(isLast1)
        #expect(table.owner(ofNamespace: 7) == nil)
        let isLast2 = table.removed(attachment("a"))
        #expect(isLast2)
    }

    @Test func `a container with two interfaces is let go with the last`() throws {
        var table = AttachmentTable()
        table.added(attachment("a", "eth0"), try entry("web", cookie: 7))
        table.added(attachment("a", "net1"), try entry("web", cookie: 7))
        let isLast3 = table.removed(attachment("a", "net1"))
        #expect(!isLast3)
        let isLast4 = table.removed(attachment("a", "eth0"))
        #expect(isLast4)
    }

    @Test func `a new sandbox of a pod takes the place of the old one`() throws {
        var table = AttachmentTable()
        table.added(attachment("a"), try entry("web", cookie: 7))
        table.added(attachment("b"), try entry("api", cookie: 8))
        table.added(attachment("c"), try entry("web", cookie: 9))
        #expect(table[attachment("a")] == nil)
        #expect(table.owner(ofNamespace: 7) == nil)
        #expect(table.count == 2)
    }

    @Test func `what is gone without a DEL is forgotten`() throws {
        var table = AttachmentTable()
        table.added(attachment("a"), try entry("web", cookie: 7))
        table.added(attachment("b"), try entry("api", cookie: 8))
        table.keep { $0.namespaceCookie == 8 }
        #expect(table.owner(ofNamespace: 7) == nil)
        #expect(table.owner(ofNamespace: 8) != nil)
    }

    @Test func `a GC keeps what is valid`() throws {
        var table = AttachmentTable()
        table.added(attachment("a"), try entry("web", cookie: 7))
        table.added(attachment("b"), try entry("api", cookie: 8))
        table.keep([attachment("b"), attachment("z")])
        #expect(table.count == 1)
        #expect(table.owner(ofNamespace: 8)?.description == "shop/api")
    }
}
