package import XDS

/// What a control plane client passes on. Called on threads of gRPC: go to your own loop. The two streams of a connection
/// are independent: each has its order, and calls for both may come at once. No call for a connection comes after
/// `controllerLost`, and what the session says may come just before `controllerConnected`.
package protocol ControlPlaneClientHandler: AnyObject, Sendable {
    /// The controller took both streams.
    func controllerConnected(_ connection: ControllerConnection)
    /// The controller said something.
    func controllerSaid(_ message: ChannelMessage, on connection: ControllerConnection)
    /// There is no connection, or none any more. Another attempt is made after `retryDelay`; each failed attempt is told.
    func controllerLost(_ error: ControlPlaneError, retryDelay: Duration)
}

/// A connection to the mesh's controller, from being taken until it is lost. May be used from any thread; what is sent
/// on one that is lost is dropped.
package final class ControllerConnection: Sendable {
    let discovery = OutgoingQueue(StreamLimits())
    let session = OutgoingQueue(StreamLimits())

    init() {}

    /// Sends a message behind those sent before: discovery requests, and what nodes say in their session.
    package func send(_ message: ChannelMessage) {
        let kind: StreamKind
        if case .discoveryRequest = message { kind = .discovery } else { kind = .session }
        let queue = kind == .discovery ? discovery : session
        do throws(XDSError) {
            queue.append(try kind.encoded(message, limit: ControlPlaneLimit.messageFromNode), for: message)
        } catch {
            queue.close(error.description)
        }
    }

    func close(_ cause: String) {
        discovery.close(cause)
        session.close(cause)
    }
}
