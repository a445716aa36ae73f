import Addressing
import TestSupport
import Testing

@testable import CNI

/// A call as containerd makes it behind the bridge plugin.
func call(
    _ command: String, version: String = "1.1.0", result: String? = bridgeResult, more: String = "",
    arguments: String = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_UID=1-2-3"
) -> PluginInvocation {
    let previous = result.map { #","prevResult":\#($0)"# } ?? ""
    return PluginInvocation(
        command: command, containerID: "c0ffee", namespacePath: "/run/netns/web", interfaceName: "eth0",
        arguments: arguments,
        configuration: Array(
            #"{"cniVersion":"\#(version)","name":"mesh","type":"meshnode-cni"\#(previous)\#(more)}"#.utf8))
}

let bridgeResult = """
    {"cniVersion":"1.1.0", "interfaces":[{"name":"cni0","mac":"00:00:00:00:00:01"},
     {"name":"veth1"}, {"name":"eth0","mac":"00:00:00:00:00:02","sandbox":"/run/netns/web"}],
     "ips":[{"address":"10.1.0.5/16","gateway":"10.1.0.1","interface":2},{"address":"fd00::5/64","interface":2},
     {"address":"10.9.9.9/24","interface":0},{"address":"10.1.0.6/16"}], "routes":[{"dst":"0.0.0.0/0"}],"dns":{}}
    """

private func code(_ invocation: PluginInvocation) -> PluginError.Code? {
    do throws(PluginError) {
        _ = try PluginRequest(invocation)
        return nil
    } catch {
        return error.code
    }
}

@Suite struct PluginRequestTests {
    @Test func `a call of a runtime is read whole`() throws {
        let request = try PluginRequest(call("ADD"))
        #expect(request.command == .add)
        #expect(request.attachment == Attachment(containerID: "c0ffee", interfaceName: "eth0"))
        #expect(request.namespacePath == "/run/netns/web")
        #expect(request.pod == PodReference(namespace: "shop", name: "web", uid: "1-2-3"))
        #expect(request.configuration.version == .v110)
        #expect(request.configuration.name == "mesh")
        #expect(request.configuration.agentSocket == "/run/meshnode/cni.sock")
        #expect(request.configuration.previousResult?.verbatim == Array(bridgeResult.utf8))
    }

    @Test func `the addresses are those of the container's interfaces, and of none`() throws {
        let result = try #require(try PluginRequest(call("ADD")).configuration.previousResult)
        #expect(result.addresses(in: "/run/netns/web") == [ip("10.1.0.5"), ip("fd00::5"), ip("10.1.0.6")])
        #expect(result.addresses(in: "/run/netns/other") == [ip("10.1.0.6")])
    }

    @Test(arguments: SpecificationVersion.allCases)
    func `each version is spoken, and a command only where it is part of it`(version: SpecificationVersion) {
        #expect(code(call("ADD", version: version.rawValue)) == nil)
        #expect(code(call("DEL", version: version.rawValue)) == nil)
        #expect(code(call("CHECK", version: version.rawValue)) == (version < .v040 ? .incompatibleVersion : nil))
        #expect(code(call("STATUS", version: version.rawValue)) == (version < .v110 ? .incompatibleVersion : nil))
    }

    @Test(arguments: ["0.1.0", "0.2.0", "1.2.0", "", "1.0"])
    func `another version is refused`(version: String) {
        #expect(code(call("ADD", version: version)) == .incompatibleVersion)
    }

    @Test func `variables that are missing or odd are refused`() {
        func changed(_ change: (inout PluginInvocation) -> Void) -> PluginError.Code? {
            var invocation = call("ADD")
            change(&invocation)
            return code(invocation)
        }
        #expect(changed { _ in } == nil)
        for command in ["", "add", "UPDATE"] { #expect(changed { $0.command = command } == .invalidEnvironment) }
        for id in ["", "-a", "a b", "a/b", "\u{e9}", String(repeating: "a", count: 257)] {
            #expect(changed { $0.containerID = id } == .invalidEnvironment)
        }
        for name in ["", ".", "..", "a/b", "a:b", "a b", "sixteen-bytes-xx"] {
            #expect(changed { $0.interfaceName = name } == .invalidEnvironment)
        }
        for path in ["", "run/netns/a", "/a\0b"] { #expect(changed { $0.namespacePath = path } == .invalidEnvironment) }
        for arguments in [
            "K8S_POD_NAME", "K8S_POD_NAME=web", "K8S_POD_NAMESPACE=shop", "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=a/b",
            "K8S_POD_NAMESPACE=a;K8S_POD_NAMESPACE=b;K8S_POD_NAME=c",
            "K8S_POD_NAMESPACE=a;K8S_POD_NAME=b;K8S_POD_UID=/",
            "K8S_POD_NAMESPACE=a;K8S_POD_NAME=\(String(repeating: "b", count: 254))",
        ] {
            #expect(changed { $0.arguments = arguments } == .invalidEnvironment, "\(arguments)")
        }
    }

    @Test func `a container without a pod's name is none of Kubernetes'`() throws {
        #expect(try PluginRequest(call("ADD", arguments: "")).pod == nil)
        #expect(try PluginRequest(call("ADD", arguments: "IgnoreUnknown=1;;K8S_POD_INFRA_CONTAINER_ID=x")).pod == nil)
    }

    @Test func `an ADD and a CHECK need a result before them, a DEL does not`() {
        #expect(code(call("ADD", result: nil)) == .invalidConfiguration)
        #expect(code(call("ADD", result: "null")) == .invalidConfiguration)
        #expect(code(call("CHECK", result: nil)) == .invalidConfiguration)
        #expect(code(call("DEL", result: nil)) == nil)
    }

    @Test(arguments: [
        "[]", "1", #"{"ips":{}}"#, #"{"ips":[{}]}"#, #"{"ips":[{"address":"10.0.0.1/33"}]}"#,
        #"{"ips":[{"address":"a"}]}"#, #"{"ips":[{"address":"10.0.0.1/8","interface":0}]}"#,
        #"{"ips":[{"address":"10.0.0.1/8","interface":-1}],"interfaces":[{}]}"#,
        #"{"ips":[{"address":"10.0.0.1/8","interface":"0"}],"interfaces":[{}]}"#, #"{"interfaces":7}"#,
    ])
    func `a result that does not follow the specification is refused`(result: String) {
        #expect(code(call("ADD", result: result)) == .invalidConfiguration)
    }

    @Test func `configuration that is not JSON, or no object, cannot be decoded`() {
        for text in ["", "[]", "{", "null", #"{"cniVersion":"1.0.0","cniVersion":"1.0.0"}"#] {
            #expect(code(PluginInvocation(command: "STATUS", configuration: Array(text.utf8))) == .undecodable)
        }
    }

    @Test func `own keys are read, and refused where they are no such thing`() throws {
        let own = try PluginRequest(call("ADD", more: #","agentSocket":"/x","excludedNamespaces":["a"]"#)).configuration
        #expect(own.agentSocket == "/x")
        #expect(own.excludedNamespaces == ["a"])
        for more in [
            #","agentSocket":7"#, #","agentSocket":"x""#, #","agentSocket":"/\#(String(repeating: "x", count: 107))""#,
            #","excludedNamespaces":"a""#, #","excludedNamespaces":["a",1]"#, #","name":1"#,
        ] {
            #expect(code(call("ADD", more: more)) != nil, "\(more)")
        }
    }

    @Test func `a GC needs the list of what is valid`() throws {
        #expect(code(call("GC")) == .invalidConfiguration)
        for list in ["{}", "7", "[1]", #"[{"containerID":"a"}]"#, #"[{"containerID":"a","ifname":1}]"#] {
            #expect(code(call("GC", more: #","cni.dev/valid-attachments":\#(list)"#)) == .invalidConfiguration)
        }
        let list = #"[{"containerID":"a","ifname":"eth0"},{"containerID":"b","ifname":"eth1"}]"#
        #expect(
            try PluginRequest(call("GC", more: #","cni.dev/valid-attachments":\#(list)"#)).configuration
                .validAttachments
                == [
                    Attachment(containerID: "a", interfaceName: "eth0"),
                    Attachment(containerID: "b", interfaceName: "eth1"),
                ])
        #expect(
            try PluginRequest(call("GC", more: #","cni.dev/valid-attachments":[]"#)).configuration.validAttachments
                == [])
    }
}
