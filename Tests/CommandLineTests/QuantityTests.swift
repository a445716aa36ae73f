import Testing

@testable import Agent
@testable import CommandLine

@Suite struct `A quantity` {
    @Test(arguments: [
        (0, "0"), (999, "999"), (1_000, "1.0k"), (4_150, "4.1k"), (12_345, "12k"), (999_999, "999k"),
        (1_000_000, "1.0M"),
        (UInt64.max, "18E"),
    ])
    func `is counted in thousands, cut off`(number: UInt64, text: String) {
        #expect(Quantity.count(number) == text)
    }

    @Test(arguments: [
        (1_023, "1023"), (1_024, "1.0K"), (98_566_144, "94M"), (1_610_612_736, "1.5G"), (UInt64.max, "15E"),
    ])
    func `of bytes is counted in powers of 1,024`(number: UInt64, text: String) {
        #expect(Quantity.bytes(number) == text)
    }

    @Test(arguments: [
        (0, "0s"), (119, "119s"), (120, "2m"), (7_200, "2h"), (172_799, "47h"), (172_800, "2d"), (-5, "-5s"),
    ])
    func `of time has one unit`(seconds: Int64, text: String) {
        #expect(Quantity.span(seconds) == text)
    }

    @Test func `of time does not trap at the end of the range`() {
        #expect(Quantity.span(Int64.min).hasPrefix("-"))
        #expect(Quantity.age(of: Timestamp(secondsSince1970: .min), at: Timestamp(secondsSince1970: .max)) == "0s")
    }

    @Test func `that is not known is never guessed`() {
        #expect(Quantity.count(nil) == "?")
        #expect(Quantity.share(nil, of: 3) == "?")
        #expect(Quantity.share(0, of: 0) == "?")
        #expect(Quantity.rate(nil, over: 60) == "?")
        #expect(Quantity.rate(5, over: 0) == "?")
        #expect(Quantity.expiry(of: nil, at: at("00:00:00")) == "expires ?")
    }

    @Test(arguments: [
        (9_999, 10_000, "99.99%"), (99_999_999, 100_000_000, "99.99%"), (1, 1, "100%"), (1, 200, "0.50%"),
        (0, 5, "0.00%"),
    ])
    func `as a share is 100 % only if it is all`(part: UInt64, whole: UInt64, text: String) {
        #expect(Quantity.share(part, of: whole) == text)
    }

    @Test(arguments: [(246_000, 60, "4.1k"), (6, 60, "0.1"), (0, 60, "0.0"), (900, 60, "15")])
    func `as a rate is per second`(number: UInt64, seconds: Int, text: String) {
        #expect(Quantity.rate(number, over: seconds) == text)
    }
}

@Suite struct `A timestamp` {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"), (1_795_442_531, "2026-11-23T14:02:11Z"), (951_782_400, "2000-02-29T00:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"), (253_402_300_799, "9999-12-31T23:59:59Z"),
        (4_107_542_399, "2100-02-28T23:59:59Z"),
    ])
    func `reads what it writes`(seconds: Int64, text: String) {
        #expect(Timestamp(secondsSince1970: seconds).description == text)
        #expect(Timestamp(text) == Timestamp(secondsSince1970: seconds))
    }

    @Test(arguments: [
        "", "2026-11-22", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-22T24:00:00Z",
        "2026-11-22T00:00:60Z",
        "2026-11-22T00:00:00+", "2026-11-22 00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
        "+026-01-01T00:00:00Z",
    ])
    func `is not read from`(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test func `beyond four digits of year does not trap`() {
        #expect(Timestamp(secondsSince1970: .max).description == "9999-12-31T23:59:59Z")
        #expect(Timestamp(secondsSince1970: .min).description == "0000-01-01T00:00:00Z")
    }
}

@Suite struct `Text from elsewhere` {
    @Test func `cannot move the cursor or turn its direction`() {
        #expect(Printable.text("a\u{1b}[2Jb\n\u{202e}c\u{7f}") == "a\\u{1b}[2Jb\\u{a}\\u{202e}c\\u{7f}")
        #expect(Printable.text("naïve 服务") == "naïve 服务")
    }

    @Test func `is broken between words within 80 columns`() {
        let text = Paragraph.text(first: " MN2003", indent: 8, String(repeating: "word ", count: 30))
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 })
        #expect(text.split(separator: "\n").dropFirst().allSatisfy { $0.hasPrefix("        word") })
        #expect(text.hasPrefix(" MN2003 word"))
    }

    @Test func `that has no blanks is not broken`() {
        let long = String(repeating: "x", count: 100)
        #expect(Paragraph.text(first: " ", indent: 8, "a \(long)") == " a\n        \(long)\n")
    }
}
