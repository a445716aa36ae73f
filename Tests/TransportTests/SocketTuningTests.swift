import DataPlaneTestSupport
import Glibc
import Kernel
import Testing

@testable import Transport

@Suite struct `The tuning of sockets` {
    private func option(_ socket: Int32, _ level: Int32, _ name: Int32) -> Int32 {
        var value: Int32 = -1
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(socket, level, name, &value, &length)
        return value
    }

    @Test func `is inherited from the listener by what is accepted`() throws {
        let listener = try PlainListener()
        SocketTuning.apply(to: TCPSocket(try listener.makeDescriptor()))
        let client = try PlainSocket(connectedTo: listener.address)
        let accepted = PlainSocket(try listener.acceptNonblocking())
        let tcp = Int32(IPPROTO_TCP)
        #expect(option(accepted.number, SOL_SOCKET, SO_KEEPALIVE) == 1)
        #expect(option(accepted.number, tcp, TCP_KEEPIDLE) == SocketTuning.idle)
        #expect(option(accepted.number, tcp, TCP_KEEPINTVL) == SocketTuning.interval)
        #expect(option(accepted.number, tcp, TCP_KEEPCNT) == SocketTuning.probes)
        #expect(option(accepted.number, tcp, 25) == SocketTuning.unsentLowWater)  // TCP_NOTSENT_LOWAT, linux/tcp.h
        #expect(option(client.number, SOL_SOCKET, SO_KEEPALIVE) == 0)
    }
}
