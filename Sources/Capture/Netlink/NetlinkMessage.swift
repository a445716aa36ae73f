internal import CNetfilter

/// One message being laid out in the memory of a `NetlinkMessages`; valid only there.
@safe
struct OutgoingMessage {
    let header: UnsafeMutablePointer<nlmsghdr>

    @unsafe
    init?(_ header: UnsafeMutablePointer<nlmsghdr>?) {
        guard let header = unsafe header else { return nil }
        unsafe self.header = header
    }

    func put(_ attribute: Int, _ number: UInt32) {
        unsafe mnl_attr_put_u32(header, UInt16(truncatingIfNeeded: attribute), number)
    }

    /// - Parameter bytes: the attribute's payload, short enough for the room that each message has.
    func put(_ attribute: Int, _ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes {
            unsafe mnl_attr_put(header, UInt16(truncatingIfNeeded: attribute), $0.count, $0.baseAddress)
        }
    }

    /// Lays the fixed header of a request behind the netlink header.
    func put<Header: BitwiseCopyable>(_ fixed: Header) {
        guard let place = unsafe mnl_nlmsg_put_extra_header(header, MemoryLayout<Header>.size) else { return }
        unsafe place.storeBytes(of: fixed, as: Header.self)
    }
}

/// One message from the kernel; valid only while it is handled.
@safe
struct IncomingMessage {
    let header: UnsafePointer<nlmsghdr>

    @unsafe
    init(_ header: UnsafePointer<nlmsghdr>) {
        unsafe self.header = header
    }

    var sequence: UInt32 { unsafe header.pointee.nlmsg_seq }
    var kind: Int32 { Int32(unsafe header.pointee.nlmsg_type) }

    /// The errno of an NLMSG_ERROR message; 0 is an acknowledgement.
    var errno: Int32 {
        let error = unsafe mn_netlink_error(header)
        return error < 0 ? 0 - max(error, -4095) : 0
    }

    /// The fixed header behind the netlink header; nil where the message is too short for it.
    func fixed<Header: BitwiseCopyable>(_ type: Header.Type) -> Header? {
        guard unsafe mnl_nlmsg_get_payload_len(header) >= MemoryLayout<Header>.size else { return nil }
        return unsafe mnl_nlmsg_get_payload(header)?.loadUnaligned(as: type)
    }

    /// - Parameter offset: length of the fixed header in bytes.
    func has(_ attribute: Int, behind offset: Int) -> Bool {
        unsafe mn_attribute(header, offset, UInt16(truncatingIfNeeded: attribute)) != nil
    }

    /// The payload of the attribute at the end of the path, each inside the one before it.
    func bytes(_ path: Int..., behind offset: Int) -> [UInt8]? {
        guard let first = path.first else { return nil }
        var found = unsafe mn_attribute(header, offset, UInt16(truncatingIfNeeded: first))
        for type in path.dropFirst() { unsafe found = mn_nested_attribute(found, UInt16(truncatingIfNeeded: type)) }
        guard let attribute = unsafe found else { return nil }
        let length = Int(unsafe mnl_attr_get_payload_len(attribute))
        return unsafe Array(UnsafeRawBufferPointer(start: mnl_attr_get_payload(attribute), count: length))
    }

    /// The attribute's four bytes as they are in memory; nil where it is missing or of another length.
    func number(_ attribute: Int, behind offset: Int) -> UInt32? {
        var number: UInt32 = 0
        let isThere = unsafe mn_attribute_u32(header, offset, UInt16(truncatingIfNeeded: attribute), &number)
        return isThere ? number : nil
    }
}
