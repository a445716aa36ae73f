import Controller
import TestSupport
import Testing
import XDS

@testable import Agent

/// What a node was sent.
private final class Sent {
    var messages: [ChannelMessage] = []
    var pods: [[String]] {
        messages.compactMap { if case .podWishes(let wishes) = $0 { wishes.pods.map(\.name) } else { nil } }
    }
    var reports: [String] {
        messages.compactMap { if case .controllerReport(let report) = $0 { report.snapshotVersion } else { nil } }
    }
}

@Suite struct `Nodes that are served from elsewhere` {
    private let nodes = RemoteNodes(log: ProcessLog("test", .text, .error))

    private func pod(_ name: String) -> PodEnrolment {
        PodEnrolment(
            podUID: "shop/\(name)", workload: Samples.uid(name), namespace: "shop", name: name,
            addresses: [ip("10.0.0.1")])
    }

    @Test func `are told of no pods before they are known, not even that there are none`() {
        let sent = Sent()
        _ = nodes.opened("a", pods: nil) { sent.messages.append($0) }
        #expect(sent.pods.isEmpty && sent.reports == [""])
        nodes.enrol(["b": [pod("x")]])
        #expect(sent.pods == [[]])
    }

    @Test func `are told of their own pods, once per change`() {
        let (first, second) = (Sent(), Sent())
        _ = nodes.opened("a", pods: [pod("x")]) { first.messages.append($0) }
        _ = nodes.opened("b", pods: []) { second.messages.append($0) }
        nodes.enrol(["a": [pod("x")], "b": [pod("y")]])
        nodes.enrol(["a": [pod("x")], "b": [pod("y")]])
        nodes.enrol(["b": [pod("y")]])
        #expect(first.pods == [["x"], []])
        #expect(second.pods == [[], ["y"]])
    }

    @Test func `are told everything again in a new session, while the old one is still there`() {
        let (old, new) = (Sent(), Sent())
        let id = nodes.opened("a", pods: [pod("x")]) { old.messages.append($0) }
        let next = nodes.opened("a", pods: [pod("x")]) { new.messages.append($0) }
        #expect(old.pods == [["x"]] && new.pods == [["x"]])
        nodes.closed(id, cause: "replaced")
        nodes.tell(ControllerReport(snapshotVersion: "2"))
        nodes.answer(.meshReport(MeshReport(id: 1)), to: id)
        nodes.answer(.meshReport(MeshReport(id: 1)), to: next)
        #expect(old.reports == [""] && new.reports == ["", "2"])
        #expect(old.messages.last != .meshReport(MeshReport(id: 1)))
        #expect(new.messages.last == .meshReport(MeshReport(id: 1)))
    }

    @Test func `are told the UID of a pod only where it has one`() {
        var withUID = pod("x")
        withUID.podUID = "0b2c5cb4-4f8a-4e0e-9b4b-1d9f3c2a7e55"
        #expect(EnrolledPod(withUID).podUID == withUID.podUID)
        #expect(EnrolledPod(pod("x")).podUID.isEmpty)
    }
}
