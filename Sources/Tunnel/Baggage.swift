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
        for member in text.split(separator: ",", maxSplits: Self.maxMembers).prefix(Self.maxMembers) {
            let pair = member.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2, let value = PercentCoding.decode(Self.trim(pair[1])), !value.isEmpty,
                value.utf8.count <= Self.maxValue
            else { continue }
            set(String(Self.trim(pair[0])), value)
        }
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
            let parts = key.split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count == 3, parts[0] == "k8s", parts[2] == "name",
                let kind = WorkloadOwner.Kind(rawValue: String(parts[1]))
            else { return }
            owner = WorkloadOwner(kind: kind, name: value)
        }
    }

    /// The header's value; empty if nothing is known.
    package var text: String {
        var members: [(String, String)] = []
        func add(_ key: String, _ value: String?) {
            if let value, !value.isEmpty { members.append((key, value)) }
        }
        add("k8s.cluster.name", cluster)
        add("k8s.namespace.name", namespace)
        if let owner { add("k8s.\(owner.kind.rawValue).name", owner.name) }
        add("service.name", service)
        add("service.version", revision)
        add("cloud.region", region)
        add("cloud.availability_zone", zone)
        return members.map { "\($0)=\(PercentCoding.encode($1))" }.joined(separator: ",")
    }

    private static func trim(_ text: Substring) -> Substring {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}

/// Percent-encoding of baggage values (W3C Baggage section 3.3.1.3).
enum PercentCoding {
    static func decode(_ text: Substring) -> String? {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    static func encode(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            if isPlain(byte) {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x21...0x7e).contains(byte) && !"\",;\\%=".utf8.contains(byte)
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
