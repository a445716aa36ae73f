import Glibc
import Testing

@testable import Kernel

@Suite struct `Sealed memory` {
    private let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }

    @Test func `holds what it was made of, however often it is read`() throws {
        let file = try SealedMemory.make("test", bytes)
        let size = try SealedMemory.size(of: file)
        let read = try SealedMemory.read(file, limit: bytes.count)
        let copy = try file.duplicate()
        let again = try SealedMemory.read(copy, limit: bytes.count)
        #expect(size == bytes.count && read == bytes && again == bytes)
        let nothing = try SealedMemory.make("empty", [])
        let none = try SealedMemory.read(nothing, limit: 0)
        #expect(none.isEmpty)
    }

    @Test func `cannot be changed`() throws {
        let file = try SealedMemory.make("test", bytes)
        let isSealed = SealedMemory.isSealed(file)
        #expect(isSealed)
        var byte: UInt8 = 1
        let raw = file.raw
        #expect(pwrite(raw, &byte, 1, 0) == -1 && errno == EPERM)
        #expect(ftruncate(raw, 1) == -1 && errno == EPERM)
        #expect(ftruncate(raw, 1 << 20) == -1 && errno == EPERM)
        let read = try SealedMemory.read(file, limit: bytes.count)
        #expect(read == bytes)
        #expect(fcntl(raw, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test func `is not read when it is too long or not sealed`() throws {
        let file = try SealedMemory.make("test", bytes)
        #expect((try? SealedMemory.read(file, limit: bytes.count - 1)) == nil)
        let null = try Descriptor.open("/dev/null", .read)
        let isSealed = SealedMemory.isSealed(null)
        #expect(!isSealed)
        #expect((try? SealedMemory.read(null, limit: 100)) == nil)
    }
}
