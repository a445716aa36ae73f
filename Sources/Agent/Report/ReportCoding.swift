internal import FoundationEssentials

/// Reports as they travel: JSON with sorted keys, so that equal reports are equal bytes.
package enum ReportCoding {
    /// The bytes of `report`; empty if it cannot be encoded, which no report of ours is.
    package static func encode(_ report: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(report)).map(Array.init) ?? []
    }

    /// Nil for anything that is not that report: it came from another process, perhaps of another version.
    package static func decode<Value: Decodable>(_: Value.Type, _ bytes: [UInt8]) -> Value? {
        try? JSONDecoder().decode(Value.self, from: Data(bytes))
    }
}
