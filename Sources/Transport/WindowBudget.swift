internal import Synchronization
internal import Tunnel

/// How many bytes the streams of all loops may be granted beyond the window that each has: what peers may make this
/// worker hold if their applications stop reading at once. Safe from any thread.
package final class WindowBudget: Sendable {
    /// All that may be granted so, in bytes.
    package let limitInBytes: Int
    private let granted = Atomic<Int>(0)

    package init(limitInBytes: Int = 64 << 20) { self.limitInBytes = max(0, limitInBytes) }

    /// Bytes that are granted now.
    package var grantedInBytes: Int { granted.load(ordering: .relaxed) }

    fileprivate func take(_ bytes: Int) -> Bool {
        let (old, new) = granted.add(bytes, ordering: .relaxed)
        guard new > limitInBytes, new > old else { return true }
        granted.subtract(bytes, ordering: .relaxed)
        return false
    }

    fileprivate func give(_ bytes: Int) { granted.subtract(bytes, ordering: .relaxed) }
}

/// The window of a stream that takes much: how it grows, and what it has of the budget for that. Confined to its loop.
final class StreamWindow {
    private var growth: WindowGrowth
    private var share: WindowShare

    /// Bytes that an application has taken of the first window before it is worth to watch how fast.
    static let worthwhileCount = TunnelLimits().streamWindow / 2

    init(at now: ContinuousClock.Instant, of budget: WindowBudget) {
        growth = WindowGrowth(at: now)
        share = WindowShare(of: budget)
    }

    /// The application took `count` bytes more. Before credit is given for them, or withheld.
    ///
    /// - Returns: the window's size from now on, if it changes.
    func took(_ count: Int, at now: ContinuousClock.Instant) -> Int? {
        share.took(count)
        guard let size = growth.took(count, at: now), share.resize(to: growth.extra(at: size)) else { return nil }
        growth.resized(to: size)
        return size
    }
}

/// One stream's part of it, which goes back when the stream ends. Confined to its loop.
struct WindowShare: ~Copyable {
    private let budget: WindowBudget
    private var held = 0
    /// The window is that much smaller already, and the peer still has the credit: it comes back as that is used up.
    private var owed = 0

    init(of budget: WindowBudget) { self.budget = budget }

    deinit { budget.give(held) }

    /// The stream is to have `extra` bytes beyond its window; false if there are not as many.
    mutating func resize(to extra: Int) -> Bool {
        let more = extra - (held - owed)
        if more <= 0 {
            owed -= more
            return true
        }
        let taken = max(0, more - owed)
        guard budget.take(taken) else { return false }
        held += taken
        owed = max(0, owed - more)
        return true
    }

    /// The application took `count` bytes, whose credit is not given again as far as it is owed.
    mutating func took(_ count: Int) {
        let paid = min(count, owed)
        guard paid > 0 else { return }
        owed -= paid
        held -= paid
        budget.give(paid)
    }
}
