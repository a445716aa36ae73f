package import Addressing
package import Kernel

/// Waits for a socket out of a `SocketStock`.
package protocol SocketReceiver: AnyObject {
    /// An unconnected, nonblocking socket in the pod's namespace, marked as the agent's and able to bind a
    /// foreign source address.
    func socketCame(_ socket: consuming TCPSocket)
    /// There is none to be had: why, as an errno.
    func socketRefused(errorNumber: Int32)
}

/// Unconnected sockets that live in one pod's namespace. The worker may not enter a namespace, so the keeper makes
/// them ahead of need, in batches that grow with the demand; a connection waits for the keeper only when the
/// stock is empty.
package final class SocketStock {
    /// Asks the keeper for so many more sockets of a family.
    package typealias Order = (IPAddress.Family, Int) -> Void

    private struct Shelf {
        var sockets: [Int32] = []
        var waiting: [any SocketReceiver] = []
        var ordered = 0
        var batch = SocketStock.smallestBatch
        /// The fewest sockets at hand since the last time that it was asked to shrink: those were not needed.
        var lowest = 0
    }

    static let smallestBatch = 8
    static let largestBatch = 128

    /// One for each family, changed in place: a copy would copy its sockets with each one that is taken.
    private var shelves = [Shelf(), Shelf()]
    private let order: Order
    /// Why there are no more sockets to be had, as an errno.
    private var closedBy: Int32?

    /// - Parameter order: called when more are needed; the answer comes as `arrived` or `refused`.
    package init(order: @escaping Order) {
        self.order = order
    }

    deinit {
        for raw in shelves.flatMap(\.sockets) { _ = Descriptor(owning: raw) }
    }

    /// Gives `receiver` a socket, now or when one comes.
    package func take(_ family: IPAddress.Family, for receiver: any SocketReceiver) {
        if let raw = shelves[family.shelf].sockets.popLast() {
            shelves[family.shelf].lowest = min(shelves[family.shelf].lowest, shelves[family.shelf].sockets.count)
            refill(family)
            receiver.socketCame(TCPSocket(Descriptor(owning: raw)))
        } else {
            if let closedBy { return receiver.socketRefused(errorNumber: closedBy) }
            shelves[family.shelf].lowest = 0
            shelves[family.shelf].waiting.append(receiver)
            shelves[family.shelf].batch = min(shelves[family.shelf].batch * 2, Self.largestBatch)
            refill(family)
        }
    }

    /// Sockets that were ordered have come; the stock owns them now.
    package func arrived(_ family: IPAddress.Family, _ sockets: [Int32]) {
        // One answer per order, whatever it held.
        shelves[family.shelf].ordered = 0
        shelves[family.shelf].sockets += sockets
        while !shelves[family.shelf].waiting.isEmpty, let raw = shelves[family.shelf].sockets.popLast() {
            shelves[family.shelf].waiting.removeFirst().socketCame(TCPSocket(Descriptor(owning: raw)))
        }
        refill(family)
    }

    /// The keeper could not make sockets: all who wait for one are told.
    package func refused(_ family: IPAddress.Family, errorNumber: Int32) {
        shelves[family.shelf].ordered = 0
        let waiting = shelves[family.shelf].waiting
        shelves[family.shelf].waiting = []
        for receiver in waiting { receiver.socketRefused(errorNumber: errorNumber) }
    }

    /// Nobody answers orders any more: all who wait are told, and who comes later gets what is left, then this.
    package func close(errorNumber: Int32) {
        guard closedBy == nil else { return }
        closedBy = errorNumber
        for family in [IPAddress.Family.v4, .v6] { refused(family, errorNumber: errorNumber) }
    }

    /// Closes the sockets at hand.
    package func empty() {
        for raw in shelves.flatMap(\.sockets) { _ = Descriptor(owning: raw) }
        for index in shelves.indices { shelves[index].sockets = [] }
    }

    /// Called from time to time: lets go of half of what was not needed since the last call, and orders smaller batches
    /// again. So one burst does not hold descriptors for ever, and the next minute's need is still at hand.
    package func shrink() {
        for family in [IPAddress.Family.v4, .v6] {
            let unused = shelves[family.shelf].lowest
            shelves[family.shelf].lowest = shelves[family.shelf].sockets.count
            guard unused > Self.smallestBatch else { continue }
            shelves[family.shelf].batch = max(Self.smallestBatch, shelves[family.shelf].batch / 2)
            for _ in 0..<(unused / 2) {
                guard let raw = shelves[family.shelf].sockets.popLast() else { break }
                _ = Descriptor(owning: raw)
            }
            shelves[family.shelf].lowest = shelves[family.shelf].sockets.count
        }
    }

    /// Sockets at hand, for tests and for the status.
    package func count(_ family: IPAddress.Family) -> Int { shelves[family.shelf].sockets.count }

    private func refill(_ family: IPAddress.Family) {
        guard closedBy == nil else { return }
        let shelf = shelves[family.shelf]
        let wanted = max(shelf.batch, min(shelf.waiting.count, Self.largestBatch))
        guard shelf.ordered == 0, shelf.sockets.count < wanted / 2 || !shelf.waiting.isEmpty else { return }
        shelves[family.shelf].ordered = wanted
        order(family, wanted)
    }
}

extension IPAddress.Family {
    fileprivate var shelf: Int { self == .v4 ? 0 : 1 }
}
