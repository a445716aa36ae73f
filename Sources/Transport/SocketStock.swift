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

    private var v4 = Shelf()
    private var v6 = Shelf()
    private let order: Order
    /// Why there are no more sockets to be had, as an errno.
    private var closedBy: Int32?

    /// - Parameter order: called when more are needed; the answer comes as `arrived` or `refused`.
    package init(order: @escaping Order) {
        self.order = order
    }

    deinit {
        for raw in v4.sockets + v6.sockets { _ = Descriptor(owning: raw) }
    }

    /// Gives `receiver` a socket, now or when one comes.
    package func take(_ family: IPAddress.Family, for receiver: any SocketReceiver) {
        if let raw = self[family].sockets.popLast() {
            self[family].lowest = min(self[family].lowest, self[family].sockets.count)
            refill(family)
            receiver.socketCame(TCPSocket(Descriptor(owning: raw)))
        } else {
            if let closedBy { return receiver.socketRefused(errorNumber: closedBy) }
            self[family].lowest = 0
            self[family].waiting.append(receiver)
            self[family].batch = min(self[family].batch * 2, Self.largestBatch)
            refill(family)
        }
    }

    /// Sockets that were ordered have come; the stock owns them now.
    package func arrived(_ family: IPAddress.Family, _ sockets: [Int32]) {
        // One answer per order, whatever it held.
        self[family].ordered = 0
        self[family].sockets += sockets
        while !self[family].waiting.isEmpty, let raw = self[family].sockets.popLast() {
            self[family].waiting.removeFirst().socketCame(TCPSocket(Descriptor(owning: raw)))
        }
        refill(family)
    }

    /// The keeper could not make sockets: all who wait for one are told.
    package func refused(_ family: IPAddress.Family, errorNumber: Int32) {
        self[family].ordered = 0
        let waiting = self[family].waiting
        self[family].waiting = []
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
        for raw in v4.sockets + v6.sockets { _ = Descriptor(owning: raw) }
        v4.sockets = []
        v6.sockets = []
    }

    /// Called from time to time: lets go of half of what was not needed since the last call, and orders smaller batches
    /// again. So one burst does not hold descriptors for ever, and the next minute's need is still at hand.
    package func shrink() {
        for family in [IPAddress.Family.v4, .v6] {
            let unused = self[family].lowest
            self[family].lowest = self[family].sockets.count
            guard unused > Self.smallestBatch else { continue }
            self[family].batch = max(Self.smallestBatch, self[family].batch / 2)
            for _ in 0..<(unused / 2) {
                guard let raw = self[family].sockets.popLast() else { break }
                _ = Descriptor(owning: raw)
            }
            self[family].lowest = self[family].sockets.count
        }
    }

    /// Sockets at hand, for tests and for the status.
    package func count(_ family: IPAddress.Family) -> Int { self[family].sockets.count }

    private func refill(_ family: IPAddress.Family) {
        guard closedBy == nil else { return }
        let shelf = self[family]
        let wanted = max(shelf.batch, min(shelf.waiting.count, Self.largestBatch))
        guard shelf.ordered == 0, shelf.sockets.count < wanted / 2 || !shelf.waiting.isEmpty else { return }
        self[family].ordered = wanted
        order(family, wanted)
    }

    private subscript(family: IPAddress.Family) -> Shelf {
        get { family == .v4 ? v4 : v6 }
        set {
            if family == .v4 { v4 = newValue } else { v6 = newValue }
        }
    }
}
