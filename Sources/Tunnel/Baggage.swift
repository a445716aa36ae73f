package import Mesh

/// What a peer says of the source workload in the `baggage` header (W3C Baggage): hints for telemetry, never for
/// a decision.
package struct Baggage: Hashable, Sendable {
    package var cluster: String?
    package var namespace: String?
    package var owner: WorkloadOwner?
    package var service: String?
    package var revision: String?
    package var region: String?
    package var zone: String?

    package init() {}

    /// What is told of `workload`.
    package init(_ workload: Workload) {
        cluster = workload.cluster
        namespace = workload.namespace
        owner = workload.owner
        service = workload.canonicalName
        revision = workload.canonicalRevision
        region = workload.locality.region.isEmpty ? nil : workload.locality.region
        zone = workload.locality.zone.isEmpty ? nil : workload.locality.zone
    }

    /// Longest header that is read, in bytes, and the most members in it (W3C Baggage section 3.3).
    private static let maxLength = 8192
    private static let maxMembers = 64
    private static let maxValue = 253

    /// Reads the header. Members that are unknown, malformed or over 253 bytes are skipped; an over-long header is empty.
    package init(parsing text: String) {
        guard text.utf8.count <= Self.maxLength else { return }
        // Byte by byte, as this is done for each connection: by characters it costs more than all the rest of HBONE.
        let bytes = text.utf8.span
        var start = 0
        var memberCount = 0
        while start < bytes.count, memberCount < Self.maxMembers {
            let end = Self.firstIndex(of: UInt8(ascii: ","), in: bytes, start..<bytes.count) ?? bytes.count
            if end > start {
                readMember(bytes, start..<end)
                memberCount += 1
            }
            start = end + 1
        }
    }

    private mutating func readMember(_ bytes: Span<UInt8>, _ member: Range<Int>) {
        let end = Self.firstIndex(of: UInt8(ascii: ";"), in: bytes, member) ?? member.upperBound
        let pair = member.lowerBound..<end
        guard let equals = Self.firstIndex(of: UInt8(ascii: "="), in: bytes, pair) else { return }
        let key = Self.trim(bytes, pair.lowerBound..<equals)
        let value = Self.trim(bytes, (equals + 1)..<end)
        guard let value = PercentCoding.decode(bytes, value), !value.isEmpty, value.utf8.count <= Self.maxValue else {
            return
        }
        set(PercentCoding.text(bytes, key), value)
    }

    private mutating func set(_ key: String, _ value: String) {
        switch key {
        case "k8s.cluster.name": cluster = value
        case "k8s.namespace.name": namespace = value
        case "service.name": service = value
        case "service.version": revision = value
        case "cloud.region": region = value
        case "cloud.availability_zone": zone = value
        default:
            let (before, behind) = ("k8s.", ".name")
            guard key.utf8.count > before.utf8.count + behind.utf8.count, key.hasPrefix(before), key.hasSuffix(behind),
                let kind = WorkloadOwner.Kind(
                    rawValue: String(Substring(key.utf8.dropFirst(before.utf8.count).dropLast(behind.utf8.count))))
            else { return }
            owner = WorkloadOwner(kind: kind, name: value)
        }
    }

    /// The header's value; empty if nothing is known.
    package var text: String {
        var text = ""
        func add(_ key: String, _ value: String?) {
            guard let value, !value.isEmpty else { return }
            if !text.isEmpty { text += "," }
            text += key
            text += "="
            text += PercentCoding.encode(value)
        }
        add("k8s.cluster.name", cluster)
        add("k8s.namespace.name", namespace)
        if let owner { add("k8s.\(owner.kind.rawValue).name", owner.name) }
        add("service.name", service)
        add("service.version", revision)
        add("cloud.region", region)
        add("cloud.availability_zone", zone)
        return text
    }

    private static func firstIndex(of byte: UInt8, in bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
        for index in range where bytes[index] == byte { return index }
        return nil
    }

    /// `range` without blanks at its ends.
    private static func trim(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, isBlank(bytes[start]) { start += 1 }
        while end > start, isBlank(bytes[end - 1]) { end -= 1 }
        return start..<end
    }
}

/// Percent-encoding of baggage values (W3C Baggage section 3.3.1.3).
enum PercentCoding {
    /// What stands in `range`; nil if an escape is malformed or what comes out is not UTF-8.
    static func decode(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String? {
        let percent = UInt8(ascii: "%")
        var decoded: [UInt8] = []
        var index = range.lowerBound
        while index < range.upperBound, bytes[index] != percent { index += 1 }
        guard index < range.upperBound else { return text(bytes, range) }
        index = range.lowerBound
        while index < range.upperBound {
            guard bytes[index] == percent else {
                decoded.append(bytes[index])
                index += 1
                continue
            }
            guard range.upperBound - index > 2, let high = digit(bytes[index + 1]), let low = digit(bytes[index + 2])
            else { return nil }
            decoded.append(high << 4 | low)
            index += 3
        }
        return String(validating: decoded, as: UTF8.self)
    }

    /// The text in `range` as it is.
    static func text(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
        unsafe bytes.extracting(range).withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }

    static func encode(_ text: String) -> String {
        if text.utf8.allSatisfy(isPlain) { return text }
        var result: [UInt8] = []
        for byte in text.utf8 {
            if isPlain(byte) {
                result.append(byte)
            } else {
                result += [UInt8(ascii: "%"), hexDigit(byte >> 4), hexDigit(byte & 15)]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\\"), UInt8(ascii: "%"),
            UInt8(ascii: "="):
            false
        default: (0x21...0x7e).contains(byte)
        }
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
