internal import Dispatch
internal import Synchronization

/// A limit of time for work that blocks in a system call.
enum TimeLimit {
    /// Where the work leaves its result for the waiting thread.
    private final class Box: Sendable {
        let result = Mutex<Result<[UInt8], CommandError>?>(nil)
    }

    /// Does `work` on another thread and waits for it. Work that takes longer is left alone: a command ends soon anyway.
    /// - Returns: nil if the time ran out.
    static func run(
        _ limit: Duration, _ work: @escaping @Sendable () throws(CommandError) -> [UInt8]
    ) throws(CommandError) -> [UInt8]? {
        let box = Box()
        let isDone = DispatchSemaphore(value: 0)
        DispatchQueue.global().async {
            let result = Result { () throws(CommandError) in try work() }
            box.result.withLock { $0 = result }
            isDone.signal()
        }
        guard isDone.wait(timeout: .now() + limit.dispatchInterval) == .success else { return nil }
        return try box.result.withLock { $0 }?.get()
    }
}

extension Duration {
    /// The same span for Dispatch, in whole milliseconds.
    var dispatchInterval: DispatchTimeInterval {
        let (seconds, attoseconds) = components
        return .milliseconds(Int(seconds) * 1_000 + Int(attoseconds / 1_000_000_000_000_000))
    }
}
