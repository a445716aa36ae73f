internal import FoundationEssentials

/// A report as YAML 1.2, block style: what `-o json` says, for those who read it.
enum YAML {
    /// JSON without its types.
    private indirect enum Node: Decodable {
        case null
        case bool(Bool)
        case integer(Int64)
        case natural(UInt64)
        case number(Double)
        case text(String)
        case list([Node])
        case map([String: Node])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .null
            } else if let value = try? container.decode(Bool.self) {
                self = .bool(value)
            } else if let value = try? container.decode(Int64.self) {
                self = .integer(value)
            } else if let value = try? container.decode(UInt64.self) {
                self = .natural(value)
            } else if let value = try? container.decode(Double.self) {
                self = .number(value)
            } else if let value = try? container.decode(String.self) {
                self = .text(value)
            } else if let value = try? container.decode([Node].self) {
                self = .list(value)
            } else {
                self = .map(try container.decode([String: Node].self))
            }
        }
    }

    /// The YAML of `json`, which was made here.
    /// - Throws: `DecodingError` if it is no JSON.
    static func text(of json: some Sequence<UInt8>) throws -> String {
        let root = try JSONDecoder().decode(Node.self, from: Data(json))
        return "---\n" + block(root, indent: 0).joined(separator: "\n") + "\n"
    }

    private static func block(_ node: Node, indent: Int) -> [String] {
        let margin = String(repeating: " ", count: indent)
        switch node {
        case .map(let map) where !map.isEmpty:
            return map.sorted { $0.key < $1.key }.flatMap { key, value in
                entry(margin + scalar(.text(key)) + ":", value, indent: indent + 2)
            }
        case .list(let list) where !list.isEmpty:
            return list.flatMap { item in
                let lines = block(item, indent: indent + 2)
                guard let first = lines.first else { return ["\(margin)-"] }
                return [margin + "- " + first.drop { $0 == " " }] + lines.dropFirst()
            }
        default: return [margin + scalar(node)]
        }
    }

    private static func entry(_ head: String, _ value: Node, indent: Int) -> [String] {
        switch value {
        case .map(let map) where !map.isEmpty: [head] + block(value, indent: indent)
        case .list(let list) where !list.isEmpty: [head] + block(value, indent: indent)
        default: ["\(head) \(scalar(value))"]
        }
    }

    private static func scalar(_ node: Node) -> String {
        switch node {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .natural(let value): "\(value)"
        case .number(let value): "\(value)"
        case .text(let value): isPlain(value) ? value : quoted(value)
        case .list: "[]"
        case .map: "{}"
        }
    }

    /// Whether it reads back as the same text without quotation marks: letters first, nothing that YAML takes for
    /// something else.
    private static func isPlain(_ text: String) -> Bool {
        guard let first = text.unicodeScalars.first, first.properties.isAlphabetic, first.isASCII, text.last != " "
        else {
            return false
        }
        let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        guard !words.contains(text.lowercased()) else { return false }
        return text.unicodeScalars.allSatisfy { scalar in
            scalar.isASCII && (scalar.properties.isAlphabetic || "0123456789-_./ ".unicodeScalars.contains(scalar))
        }
    }

    /// Double-quoted: a JSON string is one (YAML 1.2, section 7.3.1).
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f || (0x80...0x9f).contains(scalar.value):
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
