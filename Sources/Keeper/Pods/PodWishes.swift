package import Mesh

/// What the controller wants, over restarts of the controller: a new one says everything again, and only when it
/// has said "complete" is what it did not name unwanted. So a controller that crashes un-enrols nobody.
package struct PodWishes {
    private struct Entry {
        var wish: PodWish
        /// The last controller that named it; nil: none has yet, it came by the container runtime.
        var generation: UInt64?
    }

    private var entries: [WorkloadUID: Entry] = [:]
    private var generation: UInt64 = 0
    /// Whether a controller has named all once.
    package private(set) var isComplete = false

    package init() {}

    /// How many pods are wanted.
    package var count: Int { entries.count }

    /// What is wanted for `uid`; nil: nothing.
    package subscript(uid: WorkloadUID) -> PodWish? { entries[uid]?.wish }

    /// A new controller has been started.
    package mutating func controllerStarted() {
        generation += 1
    }

    /// What a wish is beside those before it.
    package enum Arrival: Equatable, Sendable {
        case new
        case changed
        /// As it was.
        case known
    }

    /// The controller wants this.
    package mutating func wanted(_ wish: PodWish) -> Arrival {
        let former = entries.updateValue(Entry(wish: wish, generation: generation), forKey: wish.uid)
        guard let former else { return .new }
        return former.wish == wish ? .known : .changed
    }

    /// The container runtime starts it, and a controller has said that it is to be captured: until one names it among
    /// the others, its not being named means nothing.
    @discardableResult
    package mutating func started(_ wish: PodWish) -> Arrival {
        let former = entries.updateValue(Entry(wish: wish, generation: entries[wish.uid]?.generation), forKey: wish.uid)
        guard let former else { return .new }
        return former.wish == wish ? .known : .changed
    }

    /// Whether a controller has named it.
    package func isNamed(_ uid: WorkloadUID) -> Bool { entries[uid]?.generation != nil }

    /// What a predecessor was told.
    /// - Parameter isNamed: whether a controller has named it.
    package mutating func inherited(_ wish: PodWish, isNamed: Bool) {
        entries[wish.uid] = Entry(wish: wish, generation: isNamed ? generation : nil)
    }

    /// Whether it was wanted before.
    package mutating func unwanted(_ uid: WorkloadUID) -> Bool {
        entries.removeValue(forKey: uid) != nil
    }

    /// The controller has named all: those that it did not, which are thereby unwanted.
    package mutating func completed() -> [WorkloadUID] {
        isComplete = true
        let stale = entries.filter { $0.value.generation.map { $0 < generation } ?? false }.map(\.key)
        for uid in stale { entries[uid] = nil }
        return stale.sorted()
    }
}
