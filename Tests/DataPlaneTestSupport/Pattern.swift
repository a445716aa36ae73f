import Dispatch
import Synchronization

/// Bytes that no two streams share and that show every gap and every repetition (xorshift64).
package struct Pattern: Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

    package mutating func next(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { space, initialized in
            var word: UInt64 = 0
            for index in 0..<count {
                if index & 7 == 0 {
                    state ^= state << 13
                    state ^= state >> 7
                    state ^= state << 17
                    word = state
                }
                space[index] = UInt8(truncatingIfNeeded: word)
                word >>= 8
            }
            initialized = count
        }
    }
}

/// FNV-1a over 8-byte words as they come, and the count: equal at both ends if every byte is.
package struct Digest: Hashable, Sendable {
    package private(set) var count = 0
    private var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    private var carry: UInt64 = 0

    package init() {}

    package mutating func add(_ bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer { bytes in
            for byte in bytes {
                carry = carry << 8 | UInt64(byte)
                count += 1
                if count & 7 == 0 { hash = (hash ^ carry) &* 0x100_0000_01b3 }
            }
        }
    }
}

/// Work on threads of its own, whose results the test waits for.
package final class Work<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let done = DispatchSemaphore(value: 0)

    package init(_ body: @escaping @Sendable () -> Value) {
        let queue = DispatchQueue(label: "work")
        queue.async { [self] in
            let result = body()
            value.withLock { $0 = result }
            done.signal()
        }
    }

    /// Called once.
    package func wait() throws -> Value {
        guard done.wait(timeout: .now() + .seconds(2 * TestLoop.patience)) == .success,
            let result = value.withLock({ $0 })
        else { throw TestTimeout(what: "work on another thread") }
        return result
    }
}

extension PlainSocket {
    /// Sends `count` bytes of a pattern, then FIN; what was sent.
    package func stream(_ count: Int, seed: UInt64) -> Digest {
        var pattern = Pattern(seed: seed)
        var digest = Digest()
        while digest.count < count {
            let bytes = pattern.next(min(1 << 16, count - digest.count))
            guard send(bytes) else { break }
            digest.add(bytes)
        }
        finish()
        return digest
    }

    /// Reads until the end; what came, and how it ended.
    package func digestAll() -> (digest: Digest, end: End) {
        var digest = Digest()
        while true {
            switch receiveSome(upTo: 1 << 17) {
            case .success(let bytes): digest.add(bytes)
            case .failure(let ended): return (digest, ended.end)
            }
        }
    }
}
