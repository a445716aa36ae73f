import Glibc
import Testing

@testable import Kernel

@Suite struct `Sealed memory` {
    private let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }

    @Test func `holds what it was made of, however often it is read`() throws {
        let file = try SealedMemory.make("test", bytes)
        #expect(try SealedMemory.size(of: file) == bytes.count)
        #expect(try SealedMemory.read(file, limit: bytes.count) == bytes)
        let copy = try file.duplicate()
        #expect(try SealedMemory.read(copy, limit: bytes.count) == bytes)
        #expect(try SealedMemory.read(try SealedMemory.make("empty", []), limit: 0) == [])
    }

    @Test func `cannot be changed`() throws {
        let file = try SealedMemory.make("test", bytes)
        #expect(SealedMemory.isSealed(file))
        var byte: UInt8 = 1
        #expect(pwrite(file.raw, &byte, 1, 0) == -1 && errno == EPERM)
        #expect(ftruncate(file.raw, 1) == -1 && errno == EPERM)
        #expect(ftruncate(file.raw, 1 << 20) == -1 && errno == EPERM)
        #expect(try SealedMemory.read(file, limit: bytes.count) == bytes)
        #expect(fcntl(file.raw, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test func `is not read when it is too long or not sealed`() throws {
        let file = try SealedMemory.make("test", bytes)
        #expect(throws: SystemError.self) { try SealedMemory.read(file, limit: bytes.count - 1) }
        let null = try Descriptor.open("/dev/null", .read)
        #expect(!SealedMemory.isSealed(null))
        #expect(throws: SystemError.self) { try SealedMemory.read(null, limit: 100) }
    }
}
