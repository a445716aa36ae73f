import Kernel
import TestSupport
import Testing

@testable import Transport

private final class Receiver: SocketReceiver {
    var hasSocket = false
    var refusal: Int32?

    func socketCame(_ socket: consuming TCPSocket) { hasSocket = true }
    func socketRefused(errorNumber: Int32) { refusal = errorNumber }
}

@Suite struct `A socket stock that nobody fills any more` {
    @Test func `tells those who wait and those who come later, and orders nothing`() {
        var orders = 0
        let stock = SocketStock { _, _ in orders += 1 }
        let (waiting, later) = (Receiver(), Receiver())
        stock.take(.v4, for: waiting)
        #expect(orders == 1)
        stock.close(errorNumber: SystemError.badDescriptor)
        #expect(waiting.refusal == SystemError.badDescriptor)
        stock.take(.v4, for: later)
        #expect(later.refusal == SystemError.badDescriptor)
        #expect(orders == 1)
    }

    @Test func `gives out what is left first, unless it was emptied`() throws {
        let stock = SocketStock { _, _ in }
        stock.arrived(.v4, try (0..<2).map { _ in try TCPSocket.make(.v4).descriptor.duplicate().release() })
        stock.close(errorNumber: SystemError.badDescriptor)
        let (first, second) = (Receiver(), Receiver())
        stock.take(.v4, for: first)
        #expect(first.hasSocket)
        stock.empty()
        stock.take(.v4, for: second)
        #expect(second.refusal == SystemError.badDescriptor)
    }
}
