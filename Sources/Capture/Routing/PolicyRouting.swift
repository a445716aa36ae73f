internal import CNetfilter
import Mesh

/// The policy rule and the route that keep an application's answers to a foreign source in the pod:
/// `ip rule add fwmark 0x111/0xfff pref 32764 lookup 100`, `ip route add local default dev lo table 100`.
struct PolicyRouting {
    enum Family: CaseIterable {
        case v4, v6

        var name: String { self == .v4 ? "IPv4" : "IPv6" }
        fileprivate var number: UInt8 { UInt8(truncatingIfNeeded: self == .v4 ? MN_AF_INET : MN_AF_INET6) }
    }

    /// Before the table `main`, whose rule has 32766.
    private static let preference: UInt32 = 32764
    private static let table: UInt32 = 100
    /// The index of `lo` in every network namespace (LOOPBACK_IFINDEX in the kernel).
    private static let loopbackIndex: UInt32 = 1

    let families: [Family]

    /// Adds what is missing and replaces what differs.
    func set(_ socket: inout NetlinkSocket) throws(CaptureError) {
        for family in families {
            try Self.changeRule(family, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, fine: [MN_EEXIST], &socket)
            try Self.changeRoute(family, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, fine: [], &socket)
        }
    }

    /// Removes both; what is not there is fine.
    func remove(_ socket: inout NetlinkSocket) throws(CaptureError) {
        let absent = [MN_ENOENT, MN_ESRCH, MN_EAFNOSUPPORT]
        for family in families {
            try Self.changeRule(family, RTM_DELRULE, 0, fine: absent, &socket)
            try Self.changeRoute(family, RTM_DELROUTE, 0, fine: absent, &socket)
        }
    }

    /// What is missing or differs.
    func differences(_ socket: inout NetlinkSocket) throws(CaptureError) -> [CaptureDrift.Difference] {
        var differences: [CaptureDrift.Difference] = []
        for family in families {
            if !(try Self.contains(family, RTM_GETRULE, &socket, Self.isOurRule)) {
                differences.append(.policyRule(family.name))
            }
            if !(try Self.contains(family, RTM_GETROUTE, &socket, Self.isOurRoute)) {
                differences.append(.policyRoute(family.name))
            }
        }
        return differences
    }

    private static func changeRule(
        _ family: Family, _ kind: Int, _ flags: Int32, fine: [Int], _ socket: inout NetlinkSocket
    ) throws(CaptureError) {
        try change(.policyRule, kind, flags, fine: fine, &socket) { message in
            var header = fib_rule_hdr()
            header.family = family.number
            header.action = UInt8(FR_ACT_TO_TBL)
            header.table = UInt8(table)
            message.put(header)
            message.put(FRA_PRIORITY, preference)
            message.put(FRA_FWMARK, MeshMarks.agentToApplication)
            message.put(FRA_FWMASK, MeshMarks.mask)
            message.put(FRA_TABLE, table)
        }
    }

    private static func changeRoute(
        _ family: Family, _ kind: Int, _ flags: Int32, fine: [Int], _ socket: inout NetlinkSocket
    ) throws(CaptureError) {
        try change(.policyRoute, kind, flags, fine: fine, &socket) { message in
            var header = rtmsg()
            header.rtm_family = family.number
            header.rtm_table = UInt8(table)
            header.rtm_protocol = UInt8(RTPROT_STATIC)
            header.rtm_scope = UInt8(RT_SCOPE_HOST.rawValue)
            header.rtm_type = UInt8(RTN_LOCAL)
            message.put(header)
            message.put(Int(RTA_OIF.rawValue), loopbackIndex)
            message.put(Int(RTA_TABLE.rawValue), table)
        }
    }

    private static func change(
        _ subject: NetlinkMessages.Subject, _ kind: Int, _ flags: Int32, fine: [Int],
        _ socket: inout NetlinkSocket, _ write: (OutgoingMessage) -> Void
    ) throws(CaptureError) {
        var messages = socket.makeMessages()
        append(to: &messages, subject, kind, flags, write)
        messages.acknowledgeLast()
        guard let failure = try socket.perform(messages), !fine.contains(Int(failure.errno)) else { return }
        throw failure.error(.routing)
    }

    private static func contains(
        _ family: Family, _ kind: Int, _ socket: inout NetlinkSocket, _ isOurs: (IncomingMessage) -> Bool
    ) throws(CaptureError) -> Bool {
        var messages = socket.makeMessages()
        append(to: &messages, .listing("\(family.name) policy routing"), kind, NLM_F_DUMP) { message in
            var header = rtmsg()
            header.rtm_family = family.number
            message.put(header)
        }
        var isFound = false
        let failure = try socket.list(messages) { message in
            if isOurs(message) { isFound = true }
        }
        if let failure { throw failure.error(.unreadable) }
        return isFound
    }

    private static func append(
        to messages: inout NetlinkMessages, _ subject: NetlinkMessages.Subject, _ kind: Int, _ flags: Int32,
        _ write: (OutgoingMessage) -> Void
    ) {
        unsafe messages.append(subject) { start, sequence in
            guard let message = unsafe OutgoingMessage(mnl_nlmsg_put_header(start)) else { return nil }
            unsafe message.header.pointee.nlmsg_type = UInt16(kind)
            unsafe message.header.pointee.nlmsg_flags = UInt16(truncatingIfNeeded: NLM_F_REQUEST | flags)
            unsafe message.header.pointee.nlmsg_seq = sequence
            write(message)
            return message
        }
    }

    private static func isOurRule(_ message: IncomingMessage) -> Bool {
        guard let header = message.fixed(fib_rule_hdr.self) else { return false }
        func number(_ attribute: Int) -> UInt32? { message.number(attribute, behind: MemoryLayout<fib_rule_hdr>.size) }
        let isSelective = [FRA_IIFNAME, FRA_OIFNAME, FRA_SRC, FRA_DST].contains {
            message.has($0, behind: MemoryLayout<fib_rule_hdr>.size)
        }
        return Int(header.action) == Int(FR_ACT_TO_TBL) && header.flags & UInt32(FIB_RULE_INVERT) == 0
            && !isSelective && number(FRA_PRIORITY) == preference && number(FRA_TABLE) == table
            && number(FRA_FWMARK) == MeshMarks.agentToApplication && number(FRA_FWMASK) == MeshMarks.mask
    }

    private static func isOurRoute(_ message: IncomingMessage) -> Bool {
        guard let header = message.fixed(rtmsg.self) else { return false }
        func number(_ attribute: rtattr_type_t) -> UInt32? {
            message.number(Int(attribute.rawValue), behind: MemoryLayout<rtmsg>.size)
        }
        return Int(header.rtm_type) == Int(RTN_LOCAL) && header.rtm_dst_len == 0
            && number(RTA_OIF) == loopbackIndex && number(RTA_TABLE) == table
    }
}
