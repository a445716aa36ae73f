/// Header fields in one run of bytes: for each field its name and its value, and where they lie.
package struct HeaderBlock: Sendable {
    struct Field: Sendable {
        var start: Int
        let nameCount: Int
        let valueCount: Int
    }

    private(set) var bytes: [UInt8] = []
    private(set) var fields: [Field] = []

    package init() {}

    /// How many fields there are.
    package var count: Int { fields.count }

    /// Forgets the fields and keeps the memory.
    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        fields.removeAll(keepingCapacity: true)
    }

    /// Drops the first `count` fields.
    mutating func removeFirst(_ count: Int) {
        guard count > 0, count < fields.count else {
            if count > 0 { removeAll() }
            return
        }
        let start = fields[count].start
        bytes.removeFirst(start)
        fields.removeFirst(count)
        for index in fields.indices { fields[index].start -= start }
    }

    /// Appends a field. Names are lower case; pseudo fields come first (RFC 9113 section 8.2).
    package mutating func append(_ name: String, _ value: String) {
        let start = bytes.count
        bytes.append(contentsOf: name.utf8)
        let nameCount = bytes.count - start
        bytes.append(contentsOf: value.utf8)
        fields.append(Field(start: start, nameCount: nameCount, valueCount: bytes.count - start - nameCount))
    }

    @unsafe mutating func append(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        let start = bytes.count
        unsafe bytes.append(contentsOf: name)
        unsafe bytes.append(contentsOf: value)
        fields.append(Field(start: start, nameCount: name.count, valueCount: value.count))
    }
}

/// The fields of one received header block.
package struct HeaderFields: Sendable, RandomAccessCollection {
    private let block: HeaderBlock
    package let startIndex: Int
    package let endIndex: Int

    init(block: HeaderBlock, range: Range<Int>) {
        self.block = block
        let valid = range.clamped(to: 0..<block.fields.count)
        startIndex = valid.lowerBound
        endIndex = valid.upperBound
    }

    /// Name and value as they came; bytes that are not UTF-8 become U+FFFD.
    package subscript(position: Int) -> (name: String, value: String) {
        let field = block.fields[position]
        let valueStart = field.start + field.nameCount
        return (
            String(decoding: block.bytes[field.start..<valueStart], as: UTF8.self),
            String(decoding: block.bytes[valueStart..<(valueStart + field.valueCount)], as: UTF8.self)
        )
    }

    /// The value of the only field with this name; nil if there is none or more than one.
    package func onlyValue(of name: String) -> String? {
        var found: Int?
        for position in indices where hasName(name, at: position) {
            guard found == nil else { return nil }
            found = position
        }
        return found.map { self[$0].value }
    }

    /// Compares in place: making a text of each name for each question would cost more than the answer.
    private func hasName(_ name: String, at position: Int) -> Bool {
        let field = block.fields[position]
        guard field.nameCount == name.utf8.count else { return false }
        return block.bytes[field.start..<(field.start + field.nameCount)].elementsEqual(name.utf8)
    }
}
