/// The `traceparent` header (W3C Trace Context level 1, section 3.2): a hint for telemetry.
package struct TraceParent: Hashable, Sendable, CustomStringConvertible {
    /// Not zero.
    package let traceID: UInt128
    /// Not zero.
    package let spanID: UInt64
    package let isSampled: Bool

    /// - Parameters:
    ///   - traceID: random bits; zero, which the standard forbids, becomes one.
    ///   - spanID: random bits; zero becomes one.
    package init(traceID: UInt128, spanID: UInt64, isSampled: Bool) {
        self.traceID = max(1, traceID)
        self.spanID = max(1, spanID)
        self.isSampled = isSampled
    }

    /// Reads the header; nil if it is not valid. Later versions are read as far as version 00 goes.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 55, bytes.count <= 512, bytes[2] == Self.dash, bytes[35] == Self.dash,
            bytes[52] == Self.dash, let version = Self.number(bytes[0..<2]), version != 0xff,
            let trace = Self.number(bytes[3..<35]), let span = Self.number(bytes[36..<52]),
            let flags = Self.number(bytes[53..<55]), trace != 0, span != 0
        else { return nil }
        guard bytes.count == 55 || (version != 0 && bytes[55] == Self.dash) else { return nil }
        traceID = trace
        spanID = UInt64(truncatingIfNeeded: span)
        isSampled = flags & 1 == 1
    }

    /// The same trace with another span as the parent.
    package func child(spanID: UInt64) -> TraceParent {
        TraceParent(traceID: traceID, spanID: spanID, isSampled: isSampled)
    }

    package var description: String {
        "00-\(Self.hex(traceID, digits: 32))-\(Self.hex(UInt128(spanID), digits: 16))-\(isSampled ? "01" : "00")"
    }

    private static let dash = UInt8(ascii: "-")

    private static func number(_ text: ArraySlice<UInt8>) -> UInt128? {
        var result: UInt128 = 0
        for byte in text {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): result = result << 4 | UInt128(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): result = result << 4 | UInt128(byte - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return result
    }

    private static func hex(_ number: UInt128, digits: Int) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
