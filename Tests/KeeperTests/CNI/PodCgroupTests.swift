import Testing

@testable import Keeper

private let uid = "7b1d9c4e-0a52-4d0a-9e3b-0123456789ab"
private let underscored = "7b1d9c4e_0a52_4d0a_9e3b_0123456789ab"
private let other = "11111111-0a52-4d0a-9e3b-0123456789ab"

@Suite struct PodCgroupTests {
    @Test(arguments: [
        "0::/kubepods/besteffort/pod\(uid)/0123abcd",
        "0::/kubepods/pod\(uid)",
        "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod\(underscored).slice/cri-containerd-0123.scope",
        "0::/kubepods.slice/kubepods-pod\(underscored).slice",
        "0::/kubelet/kubepods/burstable/pod\(uid)/x",
        "0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable-pod\(underscored).slice/x",
        "12:pids:/kubepods/burstable/pod\(uid)/x\n11:memory:/\n1:name=systemd:/kubepods/burstable/pod\(uid)/x\n0::/",
        "3:cpu,cpuacct:/kubepods/pod\(uid)/a:b\n",
    ])
    func `the pod is found with either driver, in either version`(text: String) {
        #expect(PodCgroup.podUID(in: text) == uid)
    }

    @Test func `a static pod has a hash for its UID`() {
        let hash = "0123456789abcdef0123456789abcdef"
        #expect(PodCgroup.podUID(in: "0::/kubepods.slice/kubepods-burstable-pod\(hash).slice") == hash)
    }

    @Test(arguments: [
        "", "0::/", "0::/system.slice/kubelet.service", "0::/user.slice/pod\(uid)", "0::/pod\(uid)",
        "0::/kubepods/burstable",
        "0::/kubepods/besteffort/pod", "0::/kubepods/besteffort/pod/\(uid)", "0::/kubepods/besteffort/pod\(uid)\u{e9}",
        "0::/kubepods-besteffort-podx y.slice", "garbage", ":::",
        "0::/kubepods/pod\(String(repeating: "a", count: 65))",
    ])
    func `what is no pod's is nobody's`(text: String) {
        #expect(PodCgroup.podUID(in: text) == nil)
    }

    @Test func `what a container makes below its own cgroup is of no account`() {
        #expect(PodCgroup.podUID(in: "0::/kubepods/pod\(uid)/x/kubepods/pod\(other)/y") == uid)
        #expect(PodCgroup.podUID(in: "0::/kubepods/pod\(uid)/kubepods-pod\(other).slice") == uid)
    }

    @Test func `hierarchies that name two pods name none`() {
        #expect(PodCgroup.podUID(in: "2:pids:/kubepods/pod\(uid)\n0::/kubepods/pod\(other)") == nil)
    }
}
