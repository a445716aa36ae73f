internal import Keeper

extension KeeperView {
    /// Asks the keeper behind the socket at `path`; nil if nobody answers in time, or it is of another version. Blocks.
    package static func read(from path: String) -> KeeperView? {
        guard let (facts, pods) = try? KeeperFactsReader.read(path: path) else { return nil }
        return KeeperView(facts, pods: pods)
    }
}
