internal import CNetfilter

extension RuleExpression {
    /// The expression as libnftnl has it. All conversions of the C enums are here and in the decoding beside it.
    func makeObject() throws(CaptureError) -> ExpressionObject {
        switch self {
        case .meta(let key, let register):
            try Self.object("meta", [(NFTNL_EXPR_META_KEY, key.rawValue), (NFTNL_EXPR_META_DREG, register.rawValue)])
        case .setMeta(let key, let register):
            try Self.object("meta", [(NFTNL_EXPR_META_KEY, key.rawValue), (NFTNL_EXPR_META_SREG, register.rawValue)])
        case .connection(let key, let register):
            try Self.object("ct", [(NFTNL_EXPR_CT_KEY, key.rawValue), (NFTNL_EXPR_CT_DREG, register.rawValue)])
        case .setConnection(let key, let register):
            try Self.object("ct", [(NFTNL_EXPR_CT_KEY, key.rawValue), (NFTNL_EXPR_CT_SREG, register.rawValue)])
        case .payload(let header, let offset, let length, let register):
            try Self.object(
                "payload",
                [
                    (NFTNL_EXPR_PAYLOAD_BASE, header.rawValue), (NFTNL_EXPR_PAYLOAD_OFFSET, offset),
                    (NFTNL_EXPR_PAYLOAD_LEN, length), (NFTNL_EXPR_PAYLOAD_DREG, register.rawValue),
                ])
        case .compare(let register, let comparison, let bytes):
            try Self.object(
                "cmp", [(NFTNL_EXPR_CMP_SREG, register.rawValue), (NFTNL_EXPR_CMP_OP, comparison.rawValue)],
                [(NFTNL_EXPR_CMP_DATA, bytes)])
        case .bitwise(let register, let mask, let flip):
            try Self.object(
                "bitwise",
                [
                    (NFTNL_EXPR_BITWISE_SREG, register.rawValue), (NFTNL_EXPR_BITWISE_DREG, register.rawValue),
                    (NFTNL_EXPR_BITWISE_LEN, UInt32(truncatingIfNeeded: mask.count)),
                ], [(NFTNL_EXPR_BITWISE_MASK, mask), (NFTNL_EXPR_BITWISE_XOR, flip)])
        case .destinationType(let register):
            try Self.object(
                "fib",
                [
                    (NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE.rawValue),
                    (NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR.rawValue), (NFTNL_EXPR_FIB_DREG, register.rawValue),
                ])
        case .socketCgroup(let level, let register):
            try Self.object(
                "socket",
                [
                    (NFTNL_EXPR_SOCKET_KEY, NFT_SOCKET_CGROUPV2.rawValue), (NFTNL_EXPR_SOCKET_LEVEL, level),
                    (NFTNL_EXPR_SOCKET_DREG, register.rawValue),
                ])
        case .lookUp, .immediate, .verdict, .redirect, .counter, .foreign:
            try makeStatement()
        }
    }

    private func makeStatement() throws(CaptureError) -> ExpressionObject {
        switch self {
        case .lookUp(let register, let set):
            let object = try Self.object("lookup", [(NFTNL_EXPR_LOOKUP_SREG, register.rawValue)])
            object.set(NFTNL_EXPR_LOOKUP_SET, text: set)
            return object
        case .immediate(let register, let bytes):
            return try Self.object(
                "immediate", [(NFTNL_EXPR_IMM_DREG, register.rawValue)], [(NFTNL_EXPR_IMM_DATA, bytes)])
        case .verdict(let verdict):
            return try Self.object(
                "immediate",
                [
                    (NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT.rawValue),
                    (NFTNL_EXPR_IMM_VERDICT, UInt32(bitPattern: verdict.rawValue)),
                ])
        case .redirect(let register):
            return try Self.object("redir", [(NFTNL_EXPR_REDIR_REG_PROTO_MIN, register.rawValue)])
        case .counter:
            return try Self.object("counter", [])
        default:
            throw CaptureError(.invalidPlan, "not an expression that is written: \(self)")
        }
    }

    private static func object(
        _ name: String, _ numbers: [(Int, UInt32)], _ data: [(Int, [UInt8])] = []
    ) throws(CaptureError) -> ExpressionObject {
        let object = try ExpressionObject(name)
        for (attribute, value) in numbers { object.set(attribute, value) }
        for (attribute, bytes) in data { object.set(attribute, bytes: bytes) }
        return object
    }
}

extension NamedSet.Key {
    /// nft's numbers of data types (`enum datatypes`), six bits for each field of a concatenation, by which its
    /// listing knows how to show the keys; the kernel only keeps them.
    var typeNumber: UInt32 {
        let ipv4: UInt32 = 7
        let ipv6: UInt32 = 8
        let port: UInt32 = 13
        let cgroup: UInt32 = 46
        return switch self {
        case .cgroup: cgroup
        case .port: port
        case .addressAndPortV4: ipv4 << 6 | port
        case .addressAndPortV6: ipv6 << 6 | port
        }
    }

    /// In bytes; in a concatenation each field is padded to four.
    var length: UInt32 {
        switch self {
        case .cgroup: 8
        case .port: 2
        case .addressAndPortV4: 8
        case .addressAndPortV6: 20
        }
    }

    /// The unpadded fields of a concatenation in bytes; empty for a plain key.
    var fieldLengths: [UInt8] {
        switch self {
        case .cgroup, .port: []
        case .addressAndPortV4: [4, 2]
        case .addressAndPortV6: [16, 2]
        }
    }

    /// NFT_SET_INTERVAL | NFT_SET_CONCAT
    var flags: UInt32 { fieldLengths.isEmpty ? 0 : NFT_SET_INTERVAL.rawValue | NFT_SET_CONCAT.rawValue }
}
