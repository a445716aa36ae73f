internal import CLinux
internal import Glibc

/// A thread of its own for code that must not share one: an event loop, or work that enters a namespace.
@safe package final class LoopThread: @unchecked Sendable {
    // @unchecked: `thread` is written once by `start`, before `join` may be called; `body` is only read.
    private let name: String
    private let body: @Sendable () -> Void
    private var thread: pthread_t?

    /// - Parameter name: what `ps -L` shows; the kernel keeps 15 bytes.
    package init(name: String, _ body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }

    /// Starts the thread. Called once.
    package func start() throws(SystemError) {
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        var handle = pthread_t()
        let context = unsafe Unmanaged.passRetained(self)
        let code = unsafe pthread_create(
            &handle, &attributes,
            { argument in
                guard let argument = unsafe argument else { return nil }
                // `start` retained it for this one use.
                let thread = unsafe Unmanaged<LoopThread>.fromOpaque(argument).takeRetainedValue()
                unsafe mn_set_thread_name(thread.name)
                thread.body()
                return nil
            }, context.toOpaque())
        guard code == 0 else {
            unsafe context.release()
            throw SystemError("pthread_create", code)
        }
        thread = handle
    }

    /// Waits until the thread has ended. Called once, after `start`.
    package func join() {
        guard let thread else { return }
        pthread_join(thread, nil)
    }
}
