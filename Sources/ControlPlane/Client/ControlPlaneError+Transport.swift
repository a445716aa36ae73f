internal import GRPCCore
internal import NIOCore
internal import NIOPosix

extension ControlPlaneError {
    /// What went wrong, in an operator's words.
    init(_ error: any Error, endpoint: ControllerEndpoint) {
        if let own = error as? ControlPlaneError {
            self = own
        } else if let call = error as? RPCError {
            self.init(call, endpoint: endpoint)
        } else {
            self.init(connecting: error, endpoint: endpoint)
        }
    }

    private init(_ call: RPCError, endpoint: ControllerEndpoint) {
        switch call.code {
        case .unauthenticated:
            self.init(.unauthenticated, "the controller at \(endpoint) does not accept this node: \(call.message)")
        case .permissionDenied, .invalidArgument:
            self.init(.refused, "the controller at \(endpoint) refused: \(call.message)")
        case .deadlineExceeded, .cancelled:
            self.init(.timeout, "the controller at \(endpoint) did not answer in time")
        case .aborted: self.init(.displaced, "the controller at \(endpoint) ended the connection: \(call.message)")
        case .resourceExhausted:
            self.init(.refused, "a message is longer than the other end takes: \(call.message)")
        default:
            if let cause = call.cause {
                self.init(cause, endpoint: endpoint)
                // The innermost error may say nothing; then what is around it says more.
                if code == .disconnected {
                    self.init(.disconnected, "the connection to \(endpoint) broke: \(call.message) (\(cause))")
                }
            } else {
                self.init(.disconnected, "the controller at \(endpoint) ended the connection: \(call.message)")
            }
        }
    }

    private init(connecting error: any Error, endpoint: ControllerEndpoint) {
        switch error {
        case let error as NIOConnectionError where error.connectionErrors.isEmpty:
            self.init(.unreachable, "the name '\(endpoint.host)' of the controller is not known to DNS")
        case let error as NIOConnectionError:
            self.init(error.connectionErrors[0].error, endpoint: endpoint)
        case let error as IOError:
            self.init(errno: error.errnoCode, "\(error)", endpoint: endpoint)
        case ChannelError.connectTimeout:
            self.init(
                .timeout,
                "\(endpoint) does not answer: a firewall, or no such machine; check the address and the network")
        default:
            self.init(.disconnected, "the connection to \(endpoint) broke: \(error)")
        }
    }

    /// - Parameter errno: of Linux (asm-generic/errno.h).
    private init(errno: Int32, _ text: String, endpoint: ControllerEndpoint) {
        switch errno {
        case 111:
            self.init(
                .connectionRefused, "nobody listens on \(endpoint): is the controller running, and the port right?")
        case 110:
            self.init(.timeout, "\(endpoint) does not answer: check the address and the network")
        case 101, 113:
            self.init(.unreachable, "there is no way to \(endpoint): check the routes of this node")
        default:
            self.init(.disconnected, "the connection to \(endpoint) broke: \(text)")
        }
    }
}
