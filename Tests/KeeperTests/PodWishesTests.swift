import Keeper
import Mesh
import TestSupport
import Testing

@Suite struct PodWishesTests {
    private func wish(_ name: String, _ address: String = "10.201.0.1") -> PodWish {
        PodWish(
            uid: WorkloadUID(cluster: "Kubernetes", podNamespace: "shop", podName: name), namespace: "shop", name: name,
            addresses: [ip(address)])
    }

    @Test func `a wish is new, then known, then changed`() {
        var wishes = PodWishes()
        #expect(wishes.wanted(wish("web")) == .new)
        #expect(wishes.wanted(wish("web")) == .known)
        #expect(wishes.wanted(wish("web", "10.201.0.2")) == .changed)
        #expect(wishes[wish("web").uid]?.addresses == [ip("10.201.0.2")])
    }

    @Test func `a pod is unwanted once`() {
        var wishes = PodWishes()
        _ = wishes.wanted(wish("web"))
        #expect(wishes.unwanted(wish("web").uid) == true)
        #expect(wishes.unwanted(wish("web").uid) == false)
        #expect(wishes.count == 0)
    }

    @Test func `what a new controller does not name is unwanted only when it has named all`() {
        var wishes = PodWishes()
        wishes.controllerStarted()
        _ = wishes.wanted(wish("web"))
        _ = wishes.wanted(wish("api"))
        #expect(wishes.completed() == [])
        wishes.controllerStarted()
        #expect(wishes.wanted(wish("web")) == .known)
        #expect(wishes.count == 2)
        #expect(wishes.completed() == [wish("api").uid])
        #expect(wishes.count == 1)
        #expect(wishes.completed() == [])
    }

    @Test func `a controller that crashes before it has named all un-enrols nobody`() {
        var wishes = PodWishes()
        wishes.controllerStarted()
        _ = wishes.wanted(wish("web"))
        wishes.controllerStarted()
        wishes.controllerStarted()
        #expect(wishes.wanted(wish("web")) == .known)
        #expect(wishes.completed() == [])
    }
}
