/// A value of a JSON text (RFC 8259). Numbers stay the text that they were, so that none loses precision.
package indirect enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    /// As written, by JSON's grammar.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([JSONMember])

    /// The members of an object; nil for anything else.
    package var members: [JSONMember]? {
        if case .object(let members) = self { return members }
        return nil
    }

    /// The elements of an array; nil for anything else.
    package var elements: [JSONValue]? {
        if case .array(let elements) = self { return elements }
        return nil
    }

    /// A string's text; nil for anything else.
    package var text: String? {
        if case .string(let text) = self { return text }
        return nil
    }

    /// The member `name` of an object; nil if there is none, or this is no object.
    package subscript(name: String) -> JSONValue? {
        members?.first { $0.name == name }?.value
    }
}

/// A name and its value in an object.
package struct JSONMember: Equatable, Sendable {
    package let name: String
    package let value: JSONValue
    /// Where the value stands in the bytes that were read, for those who pass it on as it is; empty in one made here.
    package let range: Range<Int>

    package init(_ name: String, _ value: JSONValue, range: Range<Int> = 0..<0) {
        self.name = name
        self.value = value
        self.range = range
    }
}
