internal import Addressing
internal import Kernel
internal import Transport

/// Looks whether an address is in a pod's network namespace, with one socket of the pod's stock.
///
///     waiting for a socket ──> told
///             └──cancel──> over
final class AddressProbe: SocketReceiver {
    private let address: IPAddress
    private var done: ((Bool?) -> Void)?

    /// - Parameter done: called once, possibly before `start` returns: whether it is there, nil if that cannot be told.
    init(for address: IPAddress, done: @escaping (Bool?) -> Void) {
        self.address = address
        self.done = done
    }

    func start(with stock: SocketStock) { stock.take(address.family, for: self) }

    /// Nothing is told any more.
    func cancel() { done = nil }

    func socketCame(_ socket: consuming TCPSocket) { tell(socket.provesLocal(address)) }

    func socketRefused(errorNumber: Int32) { tell(nil) }

    private func tell(_ isThere: Bool?) {
        let done = done
        self.done = nil
        done?(isThere)
    }
}
