/// Carries something that is confined to a loop to that loop.
final class LoopConfined<Value>: @unchecked Sendable {
    // @unchecked: `value` is touched only by closures that were posted to the loop.
    let value: Value

    init(_ value: Value) {
        self.value = value
    }
}
