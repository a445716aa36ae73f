internal import CNetfilter

/// What conntrack remembers of TCP connections in the pod's namespace.
enum TrackedConnections {
    /// The family, and what names an entry to the kernel.
    private struct Entry {
        let family: UInt8
        let tuple: [UInt8]
        let identifier: [UInt8]?
        let zone: [UInt8]?
    }

    /// IPPROTO_TCP
    private static let tcp: UInt8 = 6
    private static let isTranslated = UInt32(IPS_SRC_NAT.rawValue | IPS_DST_NAT.rawValue)
    private static let headerLength = MemoryLayout<nfgenmsg>.size

    /// Forgets the TCP connections that no NAT has touched. Where something else in the pod used conntrack before
    /// the enrolment, an ACK can have made an entry for a connection that does not exist yet; its SYN would then
    /// belong to that entry, and NAT looks only at the first packet of one. Connections that do exist go on: without
    /// loose tracking their packets belong to no entry, and pass.
    /// - Throws: `unreadable` or `rejected`.
    static func forgetDirect(_ socket: inout NetlinkSocket) throws(CaptureError) {
        // A listing walks the table of the whole machine, milliseconds long; most pods have nothing in it.
        guard try count(&socket) > 0 else { return }
        for entry in try direct(&socket) {
            var messages = socket.makeMessages()
            append(to: &messages, .trackedConnection, IPCTNL_MSG_CT_DELETE, 0, family: entry.family) { message in
                message.put(Int(CTA_TUPLE_ORIG.rawValue) | Int(NLA_F_NESTED), entry.tuple)
                if let identifier = entry.identifier { message.put(Int(CTA_ID.rawValue), identifier) }
                if let zone = entry.zone { message.put(Int(CTA_ZONE.rawValue), zone) }
            }
            messages.acknowledgeLast()
            // It may have ended meanwhile.
            if let failure = try socket.perform(messages), failure.errno != Int32(MN_ENOENT) {
                throw failure.error(.rejected)
            }
        }
    }

    /// How many entries, of any protocol, the namespace has.
    private static func count(_ socket: inout NetlinkSocket) throws(CaptureError) -> UInt32 {
        var messages = socket.makeMessages()
        let subject = NetlinkMessages.Subject.listing("the number of tracked connections")
        append(to: &messages, subject, IPCTNL_MSG_CT_GET_STATS, 0, family: 0) { _ in }
        messages.acknowledgeLast()
        var count: UInt32?
        let failure = try socket.list(messages) { message in
            let number = message.number(Int(CTA_STATS_GLOBAL_ENTRIES.rawValue), behind: headerLength)
            count = number.map { UInt32(bigEndian: $0) }
        }
        if let failure { throw failure.error(.unreadable) }
        guard let count else { throw CaptureError(.unreadable, "the kernel named no number of tracked connections") }
        return count
    }

    private static func direct(_ socket: inout NetlinkSocket) throws(CaptureError) -> [Entry] {
        var entries: [Entry] = []
        var messages = socket.makeMessages()
        append(to: &messages, .listing("tracked connections"), IPCTNL_MSG_CT_GET, NLM_F_DUMP, family: 0) { _ in }
        let failure = try socket.list(messages) { message in
            if let entry = directEntry(message) { entries.append(entry) }
        }
        if let failure { throw failure.error(.unreadable) }
        return entries
    }

    private static func directEntry(_ message: IncomingMessage) -> Entry? {
        let original = Int(CTA_TUPLE_ORIG.rawValue)
        let number = message.bytes(
            original, Int(CTA_TUPLE_PROTO.rawValue), Int(CTA_PROTO_NUM.rawValue), behind: headerLength)
        guard number == [tcp], let header = message.fixed(nfgenmsg.self),
            let status = message.number(Int(CTA_STATUS.rawValue), behind: headerLength),
            UInt32(bigEndian: status) & isTranslated == 0,
            let tuple = message.bytes(original, behind: headerLength)
        else { return nil }
        return Entry(
            family: header.nfgen_family, tuple: tuple,
            identifier: message.bytes(Int(CTA_ID.rawValue), behind: headerLength),
            zone: message.bytes(Int(CTA_ZONE.rawValue), behind: headerLength))
    }

    private static func append(
        to messages: inout NetlinkMessages, _ subject: NetlinkMessages.Subject, _ kind: cntl_msg_types, _ flags: Int32,
        family: UInt8, _ write: (OutgoingMessage) -> Void
    ) {
        unsafe messages.append(subject) { start, sequence in
            let type = UInt16(NFNL_SUBSYS_CTNETLINK) << 8 | UInt16(truncatingIfNeeded: kind.rawValue)
            guard let message = unsafe OutgoingMessage(mnl_nlmsg_put_header(start)) else { return nil }
            unsafe message.header.pointee.nlmsg_type = type
            unsafe message.header.pointee.nlmsg_flags = UInt16(truncatingIfNeeded: NLM_F_REQUEST | flags)
            unsafe message.header.pointee.nlmsg_seq = sequence
            message.put(nfgenmsg(nfgen_family: family, version: 0, res_id: 0))
            write(message)
            return message
        }
    }
}
