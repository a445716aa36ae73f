import FoundationEssentials

/// Versions of resources: a hash of what they say, so that they mean the same after the server has been restarted.
enum ContentHash {
    /// FNV-1a, 128 bits (draft-eastlake-fnv), in hexadecimal.
    static func text(of bytes: Data) -> String {
        let prime = UInt128(1) << 88 | 0x13b
        var hash = UInt128(0x6c62_272e_07bb_0142) << 64 | 0x62b8_2175_6295_c58d
        for byte in bytes { hash = (hash ^ UInt128(byte)) &* prime }
        return String(hash, radix: 16)
    }
}
