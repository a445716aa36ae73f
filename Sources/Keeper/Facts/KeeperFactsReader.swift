internal import Kernel

/// Asks a keeper what it knows.
package enum KeeperFactsReader {
    /// What the keeper at `path` (`keeper.sock` in its run directory) tells. Blocks; not for an event loop that serves.
    /// - Parameter timeout: for all of it.
    /// - Throws: `alreadyRunning` never; `resources` if nobody listens there, it may not be read, or the keeper does not
    ///   answer in time; `malformedMessage` if it is of another version.
    package static func read(
        path: String, timeout: Duration = .seconds(3)
    ) throws(KeeperError) -> (KeeperFacts, [PodReport]) {
        let deadline = ContinuousClock.now + timeout
        do {
            let descriptor = try UnixSocket.connect(path, .messages, isNonblocking: true)
            return try read(MessageSocket(descriptor), path, until: deadline)
        } catch let error as KeeperError {
            throw error
        } catch {
            throw KeeperError(.resources, "the keeper cannot be asked: \(error)")
        }
    }

    private static func read(
        _ socket: borrowing MessageSocket, _ path: String, until deadline: ContinuousClock.Instant
    ) throws -> (KeeperFacts, [PodReport]) {
        var facts: KeeperFacts?
        var pods: [PodReport] = []
        while true {
            switch try socket.receive() {
            case .message(let bytes, let descriptors):
                switch try KeeperToWorker(decoding: bytes, descriptorCount: descriptors.count) {
                case .facts(let all): facts = all
                case .podState(let report): pods.append(report)
                case .controllerStream, .drain: throw KeeperError.malformed("another kind from the keeper's socket")
                }
            case .closed:
                guard let facts else { throw KeeperError(.resources, "the keeper at \(path) told nothing") }
                return (facts, pods)
            case .oversized, .lostDescriptors: throw KeeperError.malformed("a message over the limit")
            case .wouldBlock:
                guard try socket.waitUntilReadable(until: deadline) else {
                    throw KeeperError(.resources, "the keeper at \(path) does not answer in time")
                }
            }
        }
    }
}
