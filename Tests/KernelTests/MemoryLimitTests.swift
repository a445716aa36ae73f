import Testing

@testable import Kernel

@Suite struct `The memory that a process may have` {
    @Test func `is known here, and less than all that there could be`() throws {
        let bytes = try #require(MemoryLimit.availableInBytes)
        #expect(bytes > 1 << 20)
        #expect(bytes < 1 << 60)
    }

    @Test func `is read from what the kernel writes`() {
        #expect(MemoryLimit.unifiedPath(in: "12:cpu:/a\n0::/pod/x\n") == "/pod/x")
        #expect(MemoryLimit.unifiedPath(in: "1:name=systemd:/\n") == nil)
        #expect(MemoryLimit.bytes(ofLimit: "max\n") == nil)
        #expect(MemoryLimit.bytes(ofLimit: "134217728\n") == 134_217_728)
        #expect(MemoryLimit.available(in: "MemTotal: 9 kB\nMemAvailable:    2048 kB\n") == 2048 * 1024)
        #expect(MemoryLimit.available(in: "MemTotal: 9 kB\n") == nil)
        #expect(MemoryLimit.available(in: "MemAvailable: 9223372036854775807 kB\n") == nil)
    }
}
