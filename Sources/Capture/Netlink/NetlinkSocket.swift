internal import CNetfilter

/// A netlink socket: it speaks to the network namespace it was opened in, wherever the thread is later.
@safe
struct NetlinkSocket: ~Copyable {
    enum Bus {
        case netfilter, route
    }

    private let socket: OpaquePointer
    private var nextSequence: UInt32 = 1

    /// Opens it in the calling thread's network namespace, which it pins until it is closed.
    init(_ bus: Bus) throws(CaptureError) {
        var opened: OpaquePointer?
        let number = Int32(bus == .netfilter ? MN_NETLINK_NETFILTER : MN_NETLINK_ROUTE)
        let result = unsafe mn_netlink_open(number, &opened)
        guard result == 0, let opened = unsafe opened else {
            throw CaptureError(.resources, "no netlink socket: \(errorText(-result))", errno: -result)
        }
        unsafe socket = opened
    }

    deinit { unsafe _ = mnl_socket_close(socket) }

    /// An empty list of messages, numbered on from what was sent before.
    func makeMessages() -> NetlinkMessages { NetlinkMessages(firstSequence: nextSequence) }

    /// Sends all in one call and reads the acknowledgement that was asked for.
    /// - Returns: nil, or the first error of the kernel.
    mutating func perform(_ messages: borrowing NetlinkMessages) throws(CaptureError) -> Failure? {
        try send(messages)
        let awaited = messages.acknowledgedSequence
        var failure: Failure?
        var isAcknowledged = false
        // The kernel works within the send: everything it has to say is queued by now.
        try receiveAll(waiting: false) { message in
            guard message.kind == NLMSG_ERROR, messages.owns(message.sequence) else { return true }
            if message.errno != 0, failure == nil {
                failure = Failure(errno: message.errno, subject: messages.subject(of: message.sequence))
            }
            isAcknowledged = isAcknowledged || message.sequence == awaited
            return true
        }
        guard failure != nil || isAcknowledged else {
            throw CaptureError(.unreadable, "the kernel did not acknowledge what it was sent")
        }
        return failure
    }

    /// Sends a request for a listing (NLM_F_DUMP, or one object and its acknowledgement) and hands each message to
    /// `handle`, which must not keep it.
    /// - Returns: nil, or the kernel's error.
    mutating func list(
        _ messages: borrowing NetlinkMessages, _ handle: (IncomingMessage) -> Void
    ) throws(CaptureError) -> Failure? {
        try send(messages)
        var failure: Failure?
        try receiveAll(waiting: true) { message in
            guard messages.owns(message.sequence) else { return true }
            switch message.kind {
            case NLMSG_DONE:
                return false
            case NLMSG_ERROR:
                if message.errno != 0 {
                    failure = Failure(errno: message.errno, subject: messages.subject(of: message.sequence))
                }
                return false
            default:
                handle(message)
                return true
            }
        }
        return failure
    }

    /// An errno of the kernel, and what it was about.
    struct Failure: Equatable {
        let errno: Int32
        let subject: String

        func error(_ code: CaptureError.Code) -> CaptureError {
            CaptureError(code, "the kernel refused \(subject): \(errorText(errno))", errno: errno)
        }
    }

    private mutating func send(_ messages: borrowing NetlinkMessages) throws(CaptureError) {
        nextSequence = messages.nextSequence
        let sent = unsafe messages.withBytes { bytes in unsafe mn_netlink_send(socket, bytes.baseAddress, bytes.count) }
        guard sent >= 0 else {
            let number = Int32(truncatingIfNeeded: -sent)
            throw CaptureError(.resources, "netlink send: \(errorText(number))", errno: number)
        }
    }

    /// Until `handle` returns false or, unless waiting, nothing more is queued.
    private func receiveAll(
        waiting: Bool, _ handle: (IncomingMessage) -> Bool
    ) throws(CaptureError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)
        defer { unsafe buffer.deallocate() }
        while true {
            let count = unsafe mn_netlink_receive(socket, buffer.baseAddress, buffer.count, waiting ? 1 : 0)
            if !waiting, count == -Int(MN_EAGAIN) { return }
            guard count > 0, let base = buffer.baseAddress else {
                let number = Int32(truncatingIfNeeded: -count)
                throw CaptureError(.unreadable, "netlink receive: \(errorText(number))", errno: number)
            }
            var remaining = Int32(truncatingIfNeeded: count)
            var next: UnsafePointer<nlmsghdr>? = unsafe UnsafePointer(base.assumingMemoryBound(to: nlmsghdr.self))
            while let header = unsafe next, unsafe mnl_nlmsg_ok(header, remaining) {
                guard handle(unsafe IncomingMessage(header)) else { return }
                unsafe next = unsafe UnsafePointer(mnl_nlmsg_next(header, &remaining))
            }
        }
    }
}

/// The system's words for an errno.
func errorText(_ number: Int32) -> String {
    guard let text = unsafe mn_error_text(number) else { return "errno \(number)" }
    return unsafe String(cString: text)
}
