internal import Glibc

/// Runs before the Swift runtime starts. When it starts, the runtime looks for its backtracer beside this program, by
/// /proc/self/exe, and aborts where there is no /proc; with the backtracer named it does not look.
@section(".preinit_array") @used
private let disableBacktraces: @convention(c) () -> Void = {
    let name: StaticString = "SWIFT_BACKTRACE"
    let value: StaticString = "enable=no,swift-backtrace=/none"
    // Both are C strings: ASCII with a zero byte behind them.
    unsafe UnsafeRawPointer(name.utf8Start).withMemoryRebound(to: CChar.self, capacity: name.utf8CodeUnitCount + 1) {
        name in
        unsafe UnsafeRawPointer(value.utf8Start)
            .withMemoryRebound(to: CChar.self, capacity: value.utf8CodeUnitCount + 1) { value in
                _ = unsafe setenv(name, value, 1)
            }
    }
}
