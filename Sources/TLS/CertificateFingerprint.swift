/// SHA-256 of a certificate's DER: its name in caches and logs.
package struct CertificateFingerprint: Hashable, Sendable, CustomStringConvertible {
    // Four words rather than an array, so that a cache look-up allocates nothing.
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// Nil unless `digest` has 32 bytes.
    package init?(digest: [UInt8]) {
        guard digest.count == 32 else { return nil }
        func word(_ index: Int) -> UInt64 { digest[(index * 8)..<(index * 8 + 8)].reduce(0) { $0 << 8 | UInt64($1) } }
        words = (word(0), word(1), word(2), word(3))
    }

    package static func == (lhs: Self, rhs: Self) -> Bool { lhs.words == rhs.words }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }

    /// 64 lower-case hexadecimal digits.
    package var description: String {
        [words.0, words.1, words.2, words.3].map { word in
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }.joined()
    }
}
