import Testing

@testable import CNI

private func read(_ text: String) throws -> JSONValue { try JSONReader.read(Array(text.utf8)) }

/// Splits a seed into numbers (SplitMix64), so that a failure can be repeated.
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

@Suite struct JSONTests {
    @Test func `each kind of value is read`() throws {
        #expect(try read(" null ") == .null)
        #expect(try read("[true,false]") == .array([.bool(true), .bool(false)]))
        #expect(try read("{}") == .object([]))
        #expect(try read("[ ]") == .array([]))
        let value = try read(#"{"a" : [1, {"b":"c"}], "d":null}"#)
        #expect(value["a"]?.elements?[1]["b"]?.text == "c")
        #expect(value["d"] == .null)
        #expect(value["e"] == nil)
    }

    @Test(arguments: ["0", "-0", "12", "-1.5", "1e5", "1E+5", "0.25e-7", "123456789012345678901234567890"])
    func `a number stays the text that it was`(text: String) throws {
        #expect(try read(text) == .number(text))
    }

    @Test(arguments: ["01", "+1", "1.", ".5", "1e", "-", "0x1", "1e+", "NaN", "--1"])
    func `what is nearly a number is refused`(text: String) {
        #expect(throws: JSONError.self) { try read(text) }
    }

    @Test func `escapes are the characters that they name`() throws {
        #expect(try read(#""\"\\\/\b\f\n\r\t""#) == .string("\"\\/\u{8}\u{c}\n\r\t"))
        #expect(try read(#""\u0041\u00e9\ud83d\ude00""#) == .string("A\u{e9}\u{1f600}"))
        #expect(try read("\"\u{1f600}\"") == .string("\u{1f600}"))
    }

    @Test(arguments: [
        #""\ud83d""#, #""\ude00""#, #""\ud83dA""#, #""\ud83d\u0041""#, #""\ud83d\ud83d""#, #""\x41""#, #""\u00g0""#,
        #""\u00""#, #"""#, #""a"#, "\"a\u{1}b\"", "\"a\nb\"", "'a'",
    ])
    func `a string that is none is refused`(text: String) {
        #expect(throws: JSONError.self) { try read(text) }
    }

    @Test(
        arguments: [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82]] as [[UInt8]])
    func `a string that is not UTF-8 is refused`(bytes: [UInt8]) {
        #expect(throws: JSONError.self) { try JSONReader.read([0x22] + bytes + [0x22]) }
    }

    @Test(arguments: [
        "", " ", "{", "[", "[1", "[1,", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:1}", "nul",
        "true false", "1 2", "[1]]", "{\"a\":1 \"b\":2}", "\u{feff}1", "/**/1", "tru",
    ])
    func `a text that is none is refused`(text: String) {
        #expect(throws: JSONError.self) { try read(text) }
    }

    @Test func `a name twice in an object is refused, in two objects not`() throws {
        let error = #expect(throws: JSONError.self) { try read(#"{"a":1,"a":2}"#) }
        #expect(error == JSONError(message: "a name for the second time", offset: 7))
        #expect(throws: JSONError.self) { try read(#"{"a":1,"\u0061":2}"#) }
        _ = try read(#"{"a":{"a":1}}"#)
    }

    @Test func `the depth is bounded`() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        _ = try read(nested(JSONReader.deepest))
        #expect(throws: JSONError.self) { try read(nested(JSONReader.deepest + 1)) }
        #expect(throws: JSONError.self) { try read(String(repeating: "{\"a\":", count: 100_000)) }
    }

    @Test func `the length is bounded`() throws {
        let blanks = [UInt8](repeating: 0x20, count: JSONReader.longest - 1)
        #expect(try JSONReader.read(blanks + [0x31]) == .number("1"))
        #expect(throws: JSONError.self) { try JSONReader.read(blanks + [0x31, 0x20]) }
    }

    @Test func `a member knows where its value stands`() throws {
        let text = #"{"a": [1, 2] , "b":{"c":"d"}}"#
        let members = try #require(try read(text).members)
        #expect(
            members.map { String(decoding: Array(text.utf8)[$0.range], as: UTF8.self) } == ["[1, 2]", #"{"c":"d"}"#])
    }

    @Test func `what is written is read as the same`() throws {
        let value = JSONValue.object([
            JSONMember(
                "a\"\\\u{0}\u{1f}\u{7f}", .array([.null, .bool(true), .number("-1e5"), .string("\u{1f600}\n")])),
            JSONMember("", .object([])),
        ])
        let again = try JSONReader.read(value.encoded)
        #expect(again.encoded == value.encoded)
        #expect(again["a\"\\\u{0}\u{1f}\u{7f}"]?.elements?.last == .string("\u{1f600}\n"))
        #expect(!value.encoded.contains { $0 < 0x20 || $0 == 0x7f })
    }

    @Test func `texts changed at random are read as something or refused, and never trap`() throws {
        let seeds = [
            #"{"cniVersion":"1.1.0","name":"mesh","n":-1.5e3,"prevResult":{"ips":[{"address":"10.0.0.1/8"}]}}"#,
            #"["\ud83d\ude00\u0041\n",[[[[]]]],{"a":{"b":{"c":null}}},true,false]"#,
        ].map { Array($0.utf8) }
        var numbers = SeededNumbers(state: 20_261_123)
        var accepted = 0
        for round in 0..<40_000 {
            var bytes = seeds[round % seeds.count]
            for _ in 0...Int.random(in: 0..<3, using: &numbers) {
                let position = Int.random(in: 0..<max(1, bytes.count), using: &numbers)
                switch Int.random(in: 0..<4, using: &numbers) {
                case 0 where !bytes.isEmpty: bytes.remove(at: position)
                case 1: bytes.insert(UInt8.random(in: 0...255, using: &numbers), at: min(position, bytes.count))
                case 2 where !bytes.isEmpty: bytes[position] = UInt8.random(in: 0...255, using: &numbers)
                default: bytes = Array(bytes.prefix(position))
                }
            }
            guard let value = try? JSONReader.read(bytes) else { continue }
            accepted += 1
            // What was accepted is a value like any other.
            #expect((try? JSONReader.read(value.encoded))?.encoded == value.encoded)
        }
        #expect(accepted > 1000 && accepted < 39_000)
    }
}
