import Kernel
import Testing

@testable import Capture

extension OnRealNamespaces {
    @Suite struct `The agent's cgroup` {
        @Test func `is exempt in the pod's namespace, its mark alone is not, and a successor takes its place`() throws {
            let pod = try TestPod()
            try pod.listenEverywhere()
            let hierarchy = try CgroupHierarchy.open()
            let home = try CgroupHierarchy.path(of: pod.processIdentifier)
            let old = try hierarchy.makeChild("\(pod.pod)-old", of: home)
            let new = try hierarchy.makeChild("\(pod.pod)-new", of: home)
            defer {
                try? hierarchy.move(pod.processIdentifier, into: home)
                try? hierarchy.remove(old.path)
                try? hierarchy.remove(new.path)
            }
            func reached(_ cgroup: Cgroup?, to address: String = TestPod.outsideV4) throws -> String {
                if let cgroup { try hierarchy.move(pod.processIdentifier, into: cgroup.path) }
                defer { if cgroup != nil { try? hierarchy.move(pod.processIdentifier, into: home) } }
                return try pod.connect(from: pod.pod, to: address, 9090, ["mark": 0x539]).listener
            }
            let capture = try pod.capture { $0.exemption = .cgroups([old.id], level: old.level) }
            #expect(capture.verify() == nil)
            #expect(try reached(nil) == "outbound")
            #expect(try reached(old) == "server")
            #expect(try reached(old, to: TestPod.outsideV6) == "server")
            #expect(try reached(new) == "outbound")
            try capture.replaceExemption(.cgroups([old.id, new.id], level: new.level))
            #expect(try reached(old) == "server")
            #expect(try reached(new) == "server")
            try capture.replaceExemption(.cgroups([new.id], level: new.level))
            #expect(try reached(old) == "outbound")
            #expect(try reached(new) == "server")
            #expect(capture.verify() == nil)
            #expect(throws: CaptureError.self) { try capture.replaceExemption(.cgroups([], level: 1)) }
            try capture.replaceExemption(.mark)
            #expect(try reached(nil) == "server")
            #expect(capture.verify() == nil)
        }
    }
}
