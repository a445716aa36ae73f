internal import CLinux
internal import Glibc

/// The signals that a server acts on.
package enum ProcessSignal: Hashable, Sendable, CaseIterable {
    case terminate
    case interrupt
    case hangUp
    case childEnded
    case kill

    /// The number of signal(7).
    package var number: Int32 {
        switch self {
        case .terminate: SIGTERM
        case .interrupt: SIGINT
        case .hangUp: SIGHUP
        case .childEnded: SIGCHLD
        case .kill: SIGKILL
        }
    }

    /// Nil if it is none of these.
    package init?(number: Int32) {
        guard let match = Self.allCases.first(where: { $0.number == number }) else { return nil }
        self = match
    }
}

/// Signals as something to read on an event loop (signalfd(2)).
package struct SignalSource: ~Copyable, Sendable {
    /// Readable when a signal waits.
    package let descriptor: Descriptor

    /// Blocks `signals` in the calling thread and in the threads that it starts from now on, so it is called before
    /// any thread is started.
    package init(_ signals: [ProcessSignal]) throws(SystemError) {
        let numbers = signals.map(\.number)
        descriptor = Descriptor(
            owning: try retrying("signalfd") {
                unsafe numbers.withUnsafeBufferPointer { unsafe mn_open_signals($0.baseAddress, Int32($0.count)) }
            })
    }

    /// The next signal that waits; nil if none does.
    package borrowing func next() -> ProcessSignal? {
        let number = mn_read_signal(descriptor.raw)
        return number > 0 ? ProcessSignal(number: number) : nil
    }

    /// Makes writes to closed pipes fail with EPIPE instead of ending the process.
    package static func ignoreBrokenPipes() {
        mn_ignore_sigpipe()
    }
}
