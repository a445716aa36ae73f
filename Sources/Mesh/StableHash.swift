/// Hashes that are the same in every process and run, unlike Swift's `Hasher`: what is drawn with them can be
/// repeated and explained.
package enum StableHash {
    /// FNV-1a, 64 bits (draft-eastlake-fnv).
    package static func of(_ text: String) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        return hash
    }

    /// The finaliser of SplitMix64: every bit of `value` reaches every bit of the result.
    package static func mixed(_ value: UInt64) -> UInt64 {
        var z = value &+ 0x9e37_79b9_7f4a_7c15
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
