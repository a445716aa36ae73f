import Addressing
import DataPlaneTestSupport
import Glibc
import Kernel
import TestSupport
import Testing

@testable import Transport

/// Notes what it is given.
private final class Receiver: SocketReceiver {
    var number: Int32?
    var refusal: Int32?
    var onArrival: () -> Void = {}

    func socketCame(_ socket: consuming TCPSocket) {
        number = socket.raw
        onArrival()
    }

    func socketRefused(errorNumber: Int32) { refusal = errorNumber }
}

/// Notes what is ordered, and makes real descriptors.
private final class Workshop {
    var orders: [Int] = []
    lazy var stock = SocketStock { [unowned self] family, count in
        if family == .v4 { orders.append(count) }
    }

    static func make(_ count: Int) -> [Int32] {
        (0..<count).map { _ in socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }
    }

    func deliver(_ count: Int) -> [Int32] {
        let sockets = Self.make(count)
        stock.arrived(.v4, sockets)
        return sockets
    }
}

@Suite struct `A socket stock` {
    @Test func `orders when it is empty and serves who waits in order`() {
        let workshop = Workshop()
        let receivers = (0..<3).map { _ in Receiver() }
        var served: [Int] = []
        for (index, receiver) in receivers.enumerated() {
            receiver.onArrival = { served.append(index) }
            workshop.stock.take(.v4, for: receiver)
        }
        #expect(workshop.orders.count == 1)
        _ = workshop.deliver(workshop.orders[0])
        #expect(served == [0, 1, 2])
        #expect(workshop.stock.count(.v4) == workshop.orders[0] - 3)
    }

    @Test func `serves from the shelf without waiting and orders again in time`() {
        let workshop = Workshop()
        workshop.stock.take(.v4, for: Receiver())
        _ = workshop.deliver(workshop.orders[0])
        while workshop.orders.count < 2 {
            let receiver = Receiver()
            workshop.stock.take(.v4, for: receiver)
            #expect(receiver.number != nil)
        }
        #expect(workshop.stock.count(.v4) > 0)
    }

    @Test func `orders more at a time when the demand grows`() {
        let workshop = Workshop()
        for _ in 0..<1000 {
            for _ in 0..<40 { workshop.stock.take(.v4, for: Receiver()) }
            while let order = workshop.orders.last, workshop.stock.count(.v4) < order / 2 {
                _ = workshop.deliver(order)
            }
            if workshop.orders.contains(SocketStock.largestBatch) { break }
        }
        #expect(workshop.orders.first.map { $0 < 40 } == true)
        #expect(workshop.orders.last == SocketStock.largestBatch)
        #expect(workshop.orders.allSatisfy { $0 <= SocketStock.largestBatch })
    }

    @Test func `goes on ordering after it got fewer than it asked for`() {
        let workshop = Workshop()
        let receivers = (0..<30).map { _ in Receiver() }
        for receiver in receivers { workshop.stock.take(.v4, for: receiver) }
        var deliveries = 0
        while receivers.contains(where: { $0.number == nil }), deliveries < workshop.orders.count {
            deliveries += 1
            _ = workshop.deliver(4)
        }
        #expect(receivers.allSatisfy { $0.number != nil })
    }

    @Test func `tells everyone who waits when there is none to be had, and asks again for the next`() {
        let workshop = Workshop()
        let first = [Receiver(), Receiver()]
        for receiver in first { workshop.stock.take(.v4, for: receiver) }
        workshop.stock.refused(.v4, errorNumber: EMFILE)
        #expect(first.map(\.refusal) == [EMFILE, EMFILE])
        let second = Receiver()
        workshop.stock.take(.v4, for: second)
        #expect(workshop.orders.count == 2)
        _ = workshop.deliver(1)
        #expect(second.number != nil)
    }

    @Test func `keeps the families apart`() {
        let workshop = Workshop()
        let v6 = Receiver()
        workshop.stock.take(.v6, for: v6)
        _ = workshop.deliver(4)
        #expect(v6.number == nil)
        workshop.stock.arrived(.v6, Workshop.make(1))
        #expect(v6.number != nil)
    }

    @Test func `closes what is left when it ends`() {
        var workshop: Workshop? = Workshop()
        let stock = workshop?.stock
        let left = workshop?.deliver(5) ?? []
        #expect(stock?.count(.v4) == 5)
        #expect(left.allSatisfy { fcntl($0, F_GETFD) >= 0 })
        // Tests run side by side and may be given the same numbers at once: the kernel's own count of the inode tells.
        let names = left.map { Self.target(of: $0) }
        workshop = nil
        withExtendedLifetime(stock) {}
        _ = consume stock
        #expect(zip(left, names).allSatisfy { Self.target(of: $0) != $1 })
    }

    /// Which socket the number names, such as `socket:[4711]`.
    private static func target(of descriptor: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 128)
        let count = readlink("/proc/self/fd/\(descriptor)", &buffer, buffer.count - 1)
        return count > 0 ? String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : ""
    }
}

@Suite struct `A socket stock after a burst` {
    @Test func `lets go of what nobody needs, half at a time, and keeps the smallest batch`() {
        let workshop = Workshop()
        for _ in 0..<40 { workshop.stock.take(.v4, for: Receiver()) }
        while workshop.stock.count(.v4) < 60, let order = workshop.orders.last { _ = workshop.deliver(order) }
        let full = workshop.stock.count(.v4)
        // The first call only begins to watch.
        workshop.stock.shrink()
        #expect(workshop.stock.count(.v4) == full)
        workshop.stock.shrink()
        #expect(workshop.stock.count(.v4) == full - full / 2)
        for _ in 0..<20 { workshop.stock.shrink() }
        #expect(workshop.stock.count(.v4) <= SocketStock.smallestBatch)
        let receiver = Receiver()
        workshop.stock.take(.v4, for: receiver)
        #expect(receiver.number != nil)
    }

    @Test func `keeps what was in use since the last look`() {
        let workshop = Workshop()
        workshop.stock.take(.v4, for: Receiver())
        _ = workshop.deliver(40)
        workshop.stock.shrink()
        while workshop.stock.count(.v4) > 4 { workshop.stock.take(.v4, for: Receiver()) }
        _ = workshop.deliver(40)
        let count = workshop.stock.count(.v4)
        workshop.stock.shrink()
        #expect(workshop.stock.count(.v4) == count)
    }
}
