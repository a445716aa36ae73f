import TestSupport
import Testing

@testable import Proxy

@Suite struct `The address that an application sees as its client's` {
    @Test func `is the client's`() {
        #expect(SocketConnect.visibleSource(of: ip("10.0.0.1"), at: ip("10.0.0.2")) == ip("10.0.0.1"))
        #expect(SocketConnect.visibleSource(of: ip("fd00::1"), at: ip("fd00::2")) == ip("fd00::1"))
    }

    @Test(arguments: [
        ("10.0.0.2", "10.0.0.2"), ("10.0.0.1", "127.0.0.1"), ("127.0.0.1", "10.0.0.2"), ("fd00::1", "::1"),
        ("::1", "fd00::2"), ("fd00::1", "10.0.0.2"), ("10.0.0.1", "fd00::2"),
    ])
    func `is the pod's own where the reply could not find its way`(client: String, destination: String) {
        #expect(SocketConnect.visibleSource(of: ip(client), at: ip(destination)) == nil)
    }
}
