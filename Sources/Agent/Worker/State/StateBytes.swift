/// Appends the parts of a `WorkerState`.
struct StateWriter {
    var bytes: [UInt8] = []

    mutating func number(_ value: some FixedWidthInteger & UnsignedInteger) {
        for shift in stride(from: 0, to: value.bitWidth, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    mutating func string(_ value: some Collection<UInt8>) {
        number(UInt32(clamping: value.count))
        bytes += value.prefix(Int(UInt32.max))
    }

    mutating func text(_ value: String) { string(Array(value.utf8)) }

    mutating func strings(_ values: [[UInt8]]) {
        number(UInt32(clamping: values.count))
        for value in values { string(value) }
    }
}

/// Takes the parts of a `WorkerState` from the front; every length is checked against what is there.
struct StateReader {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The next `count` bytes.
    mutating func take(_ count: Int) throws(AgentError) -> ArraySlice<UInt8> {
        guard count >= 0, count <= rest.count else { throw .unusable("it ends in the middle") }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    mutating func number<Number: FixedWidthInteger & UnsignedInteger>() throws(AgentError) -> Number {
        let width = Number.bitWidth / 8
        var value: Number = 0
        for (index, byte) in try take(width).enumerated() { value |= Number(byte) << (8 * index) }
        return value
    }

    mutating func string() throws(AgentError) -> ArraySlice<UInt8> {
        let length: UInt32 = try number()
        return try take(Int(length))
    }

    mutating func text() throws(AgentError) -> String {
        guard let text = String(validating: try string(), as: UTF8.self) else { throw .unusable("a text is not UTF-8") }
        return text
    }

    mutating func strings() throws(AgentError) -> [[UInt8]] {
        let count: UInt32 = try number()
        var values: [[UInt8]] = []
        // No more is reserved than what comes: the count is only what is said to come.
        for _ in 0..<count { values.append(Array(try string())) }
        return values
    }
}

extension AgentError {
    /// A predecessor's state is not what it should be.
    static func unusable(_ what: String) -> AgentError {
        AgentError(.unusableState, "the state that the worker before this one left cannot be used: \(what)")
    }
}
