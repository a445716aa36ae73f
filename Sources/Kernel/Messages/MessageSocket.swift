internal import CLinux
internal import Glibc

/// What a send did.
package enum MessageSendResult: Hashable, Sendable {
    case sent
    /// The other side is behind; wait for writability.
    case wouldBlock
    /// The other side is gone.
    case closed
}

/// What a receive brought.
package enum ReceivedMessage {
    /// One whole message and the descriptors that came with it, closed on exec.
    case message([UInt8], DescriptorList)
    /// The message was longer than `MessageSocket.maxLength` or had more descriptors than `maxDescriptors`; what came
    /// of it was closed. The sender breaks the agreement.
    case oversized
    /// One whole message, but this process has no room for its descriptors (EMFILE): all of them are lost, as the kernel
    /// closes them. Nobody breaks the agreement.
    case lostDescriptors([UInt8])
    case wouldBlock
    /// The other side is gone.
    case closed
}

/// The user on the other end of a unix socket, as of its connect or socketpair (SO_PEERCRED, unix(7)).
package struct PeerCredentials: Hashable, Sendable {
    /// The process that made the other end.
    package let pid: Int32
    /// Its effective user then.
    package let uid: UInt32
    /// Its effective group then.
    package let gid: UInt32
}

/// One end of a nonblocking unix SOCK_SEQPACKET connection: whole messages, each with up to 128 descriptors.
package struct MessageSocket: ~Copyable, Sendable {
    /// The longest message in bytes; the receiver has no more room.
    package static let maxLength = 8192
    /// The most descriptors in one message.
    package static let maxDescriptors = Int(MN_MAX_DESCRIPTORS)

    /// The socket; closed with this value.
    package let descriptor: Descriptor

    /// Takes a descriptor that is a nonblocking SEQPACKET socket.
    package init(_ descriptor: consuming Descriptor) {
        self.descriptor = descriptor
    }

    /// The number of the socket, while this value lives.
    package var raw: Int32 { descriptor.raw }

    /// Two connected ends, nonblocking and closed on exec.
    package static func makePair() throws(SystemError) -> DescriptorList {
        var pair: (Int32, Int32) = (-1, -1)
        try retrying("socketpair") {
            unsafe withUnsafeMutableBytes(of: &pair) {
                unsafe mn_message_pair($0.baseAddress?.assumingMemoryBound(to: Int32.self))
            }
        }
        return DescriptorList(owning: [pair.0, pair.1])
    }

    /// Sends one message. The descriptors stay the caller's; the kernel holds its own references from now on.
    /// - Throws: EMSGSIZE, ETOOMANYREFS and the like: the message was not sent and never will be.
    package borrowing func send(_ bytes: [UInt8], descriptors: [Int32] = []) throws(SystemError) -> MessageSendResult {
        guard bytes.count <= Self.maxLength, descriptors.count <= Self.maxDescriptors else {
            throw SystemError("sendmsg", EMSGSIZE)
        }
        let number = raw
        let result = unsafe bytes.withUnsafeBytes { bytes in
            unsafe descriptors.withUnsafeBufferPointer { descriptors in
                interruptible {
                    unsafe mn_send_message(
                        number, bytes.baseAddress, bytes.count, descriptors.baseAddress, Int32(descriptors.count))
                }
            }
        }
        if result >= 0 { return .sent }
        let code = errno
        switch code {
        case EAGAIN: return .wouldBlock
        case EPIPE, ECONNRESET, ENOTCONN: return .closed
        default: throw SystemError("sendmsg", code)
        }
    }

    /// Takes the next message.
    package borrowing func receive() throws(SystemError) -> ReceivedMessage {
        var count = 0
        var code: Int32 = 0
        var flags: Int32 = 0
        var descriptorCount: Int32 = 0
        var numbers: [Int32] = []
        let number = raw
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: Self.maxLength) { buffer, initializedCount in
            unsafe withUnsafeTemporaryAllocation(of: Int32.self, capacity: Self.maxDescriptors) { space in
                count = interruptible {
                    unsafe mn_receive_message(
                        number, buffer.baseAddress, Self.maxLength, space.baseAddress, &descriptorCount, &flags)
                }
                code = count < 0 ? errno : 0
                numbers = unsafe Array(space[..<Int(descriptorCount)])
            }
            initializedCount = max(0, count)
        }
        let descriptors = DescriptorList(owning: numbers)
        if count < 0 {
            switch code {
            case EAGAIN: return .wouldBlock
            case ECONNRESET: return .closed
            default: throw SystemError("recvmsg", code)
            }
        }
        if flags & Int32(MSG_TRUNC) != 0 { return .oversized }
        if flags & Int32(MSG_CTRUNC) != 0 {
            // recvmsg(2) does not tell the two causes apart, but all that there is room for came.
            return descriptors.count < Self.maxDescriptors ? .lostDescriptors(bytes) : .oversized
        }
        // No message is empty, so nothing read is the end.
        return count == 0 ? .closed : .message(bytes, descriptors)
    }

    /// Who made the other end.
    package borrowing func peerCredentials() throws(SystemError) -> PeerCredentials {
        try descriptor.peerCredentials()
    }
}

extension Descriptor {
    /// Who is on the other end, for a connected unix socket of any kind.
    package borrowing func peerCredentials() throws(SystemError) -> PeerCredentials {
        var peer = mn_peer()
        let number = raw
        try retrying("SO_PEERCRED") { unsafe mn_peer_credentials(number, &peer) }
        return PeerCredentials(pid: peer.pid, uid: peer.uid, gid: peer.gid)
    }
}
