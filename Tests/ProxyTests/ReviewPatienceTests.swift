import DataPlaneTestSupport
import Kernel
import TestSupport
import Testing

@testable import Proxy
@testable import Transport

private final class Owner: SocketConnectOwner {
    var failures: [Int32] = []
    func connected(_ socket: StreamSocket) { Issue.record("nothing listens there") }
    func connectFailed(errorNumber: Int32) { failures.append(errorNumber) }
}

@Suite struct `A connect that waits for a socket` {
    @Test func `gives up once when none comes in time, and drops the one that comes late`() throws {
        let resources = LoopResources(loop: try EventLoop())
        let stock = SocketStock { _, _ in }
        let owner = Owner()
        let connect = SocketConnect(
            to: socketAddress("127.0.0.1:1"), from: nil, isWithinNode: true, timeout: .seconds(10),
            resources: resources, owner: owner)
        connect.start(with: stock)
        #expect(owner.failures.isEmpty)
        connect.timerFired(at: .now)
        connect.timerFired(at: .now)
        #expect(owner.failures == [SystemError.timedOut])
        stock.arrived(.v4, [try TCPSocket.make(.v4).descriptor.duplicate().release()])
        #expect(owner.failures == [SystemError.timedOut])
        #expect(stock.count(.v4) == 0)
    }
}
