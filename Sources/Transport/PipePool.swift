package import Kernel

/// The pipes of one loop, lent to relays for as long as bytes are in them; bounded, so that relays whose receivers do not
/// read cannot use up the descriptors. Confined to its loop.
package final class PipePool {
    private var free: [SplicePipe] = []
    /// Pipes that are lent out now.
    package private(set) var lentCount = 0

    /// Pipes that are lent at most; who gets none copies.
    package static let most = 64
    /// Empty ones that are kept.
    private static let mostFree = 4

    init() {}

    /// An empty pipe; nil if there are none.
    package func take() -> SplicePipe? {
        guard lentCount < Self.most, let pipe = free.popLast() ?? (try? SplicePipe()) else { return nil }
        lentCount += 1
        return pipe
    }

    /// Takes a pipe back. One that has bytes left is closed.
    package func giveBack(_ pipe: SplicePipe) {
        lentCount -= 1
        if pipe.count == 0, free.count < Self.mostFree { free.append(pipe) }
    }

    /// Closes those that nobody uses.
    func tidy() { free = [] }
}
