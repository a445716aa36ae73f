internal import CertificateAuthority
internal import Synchronization
internal import X509
package import XDS

/// One stream of one node, as the controller has it. May be used from any thread.
package final class NodeStream: Sendable {
    /// A number that no other stream of this server has.
    package let id: UInt64
    /// The node's name, by its certificate.
    package let node: String
    /// What is said on it.
    package let kind: StreamKind
    /// Where it comes from, such as `ipv4:10.0.0.1:1234`; for the log.
    package let address: String
    let chain: [Certificate]
    let queue: OutgoingQueue
    private let displaced = Atomic(false)

    init(id: UInt64, node: String, kind: StreamKind, address: String, chain: [Certificate], limits: StreamLimits) {
        self.id = id
        self.node = node
        self.kind = kind
        self.address = address
        self.chain = chain
        queue = OutgoingQueue(limits)
    }

    /// Sends a message behind those sent before. One that cannot be sent closes the stream, and so does a node that does
    /// not read.
    package func send(_ message: ChannelMessage) {
        do throws(XDSError) {
            queue.append(try kind.encoded(message, limit: ControlPlaneLimit.messageFromController), for: message)
        } catch {
            queue.close(error.description)
        }
    }

    /// Ends the stream; the node is told why, and may come back.
    package func close(_ reason: String) {
        queue.close(reason)
    }

    /// Ends the stream because the node opened another; whoever has this one is not to come back soon.
    func displace(byStreamFrom address: String) {
        displaced.store(true, ordering: .releasing)
        queue.close("the node opened another stream from \(address)")
    }

    /// Whether it was ended because of another.
    var isDisplaced: Bool { displaced.load(ordering: .acquiring) }
}
