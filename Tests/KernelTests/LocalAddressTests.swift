import Addressing
import Testing

@testable import Kernel

@Suite struct `An address of a network namespace` {
    private func isLocal(_ text: String) throws -> Bool {
        let address = try #require(IPAddress(text))
        let socket = try TCPSocket.make(address.family)
        return socket.provesLocal(address)
    }

    // 192.0.2.1 (TEST-NET-1) is nobody's, and nothing is sent to it.
    @Test(arguments: [("127.0.0.1", true), ("127.9.8.7", true), ("192.0.2.1", false)])
    func `is told by whether an ordinary socket may have it`(text: String, isThere: Bool) throws {
        #expect(try isLocal(text) == isThere)
    }

    @Test func `is told so also by a socket that might have had any`() throws {
        let address = try #require(IPAddress("192.0.2.1"))
        let socket = try TCPSocket.make(.v4)
        // IP_FREEBIND, which needs no privilege, is half of what makes a socket transparent.
        try socket.setOption(0, 15, 1)
        let isLocal = socket.provesLocal(address)
        #expect(!isLocal)
    }
}
