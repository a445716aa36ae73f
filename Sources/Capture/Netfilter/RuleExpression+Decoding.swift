internal import CNetfilter

/// An expression inside a rule of libnftnl; valid only while the rule is.
@safe
struct DecodedExpression {
    private let object: OpaquePointer

    @unsafe
    init(_ object: OpaquePointer) {
        unsafe self.object = object
    }

    var name: String { unsafe text(nftnl_expr_get_str(object, UInt16(NFTNL_EXPR_NAME))) }

    func has(_ attribute: Int) -> Bool { unsafe nftnl_expr_is_set(object, UInt16(truncatingIfNeeded: attribute)) }

    func number(_ attribute: Int) -> UInt32 {
        unsafe nftnl_expr_get_u32(object, UInt16(truncatingIfNeeded: attribute))
    }

    func wideNumber(_ attribute: Int) -> UInt64 {
        unsafe nftnl_expr_get_u64(object, UInt16(truncatingIfNeeded: attribute))
    }

    func bytes(_ attribute: Int) -> [UInt8] {
        var length: UInt32 = 0
        let start = unsafe nftnl_expr_get(object, UInt16(truncatingIfNeeded: attribute), &length)
        return unsafe Array(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(length)))
    }

    func string(_ attribute: Int) -> String {
        unsafe text(nftnl_expr_get_str(object, UInt16(truncatingIfNeeded: attribute)))
    }

    fileprivate func register(_ attribute: Int) -> RuleExpression.Register? {
        has(attribute) ? RuleExpression.Register(rawValue: number(attribute)) : nil
    }
}

extension RuleExpression {
    /// What the kernel has; `foreign` for everything that we would not write.
    init(_ decoded: DecodedExpression) {
        let expression: RuleExpression? =
            switch decoded.name {
            case "meta": Self.meta(decoded)
            case "ct": Self.connection(decoded)
            case "payload": Self.payload(decoded)
            case "cmp": Self.comparison(decoded)
            case "bitwise": Self.bitwise(decoded)
            case "fib": Self.destinationType(decoded)
            case "socket": Self.socketCgroup(decoded)
            case "lookup": Self.lookUp(decoded)
            case "immediate": Self.immediate(decoded)
            case "redir": Self.redirect(decoded)
            case "counter": .counter
            default: nil
            }
        self = expression ?? .foreign(decoded.name)
    }

    private static func meta(_ decoded: DecodedExpression) -> RuleExpression? {
        guard let key = MetaKey(rawValue: decoded.number(NFTNL_EXPR_META_KEY)) else { return nil }
        if let register = decoded.register(NFTNL_EXPR_META_DREG) { return .meta(key, into: register) }
        return decoded.register(NFTNL_EXPR_META_SREG).map { .setMeta(key, from: $0) }
    }

    private static func connection(_ decoded: DecodedExpression) -> RuleExpression? {
        guard let key = ConnectionKey(rawValue: decoded.number(NFTNL_EXPR_CT_KEY)), !decoded.has(NFTNL_EXPR_CT_DIR)
        else {
            return nil
        }
        if let register = decoded.register(NFTNL_EXPR_CT_DREG) { return .connection(key, into: register) }
        return decoded.register(NFTNL_EXPR_CT_SREG).map { .setConnection(key, from: $0) }
    }

    private static func payload(_ decoded: DecodedExpression) -> RuleExpression? {
        guard let header = Header(rawValue: decoded.number(NFTNL_EXPR_PAYLOAD_BASE)),
            let register = decoded.register(NFTNL_EXPR_PAYLOAD_DREG)
        else { return nil }
        return .payload(
            header, offset: decoded.number(NFTNL_EXPR_PAYLOAD_OFFSET), length: decoded.number(NFTNL_EXPR_PAYLOAD_LEN),
            into: register)
    }

    private static func comparison(_ decoded: DecodedExpression) -> RuleExpression? {
        guard let comparison = Comparison(rawValue: decoded.number(NFTNL_EXPR_CMP_OP)),
            let register = decoded.register(NFTNL_EXPR_CMP_SREG)
        else { return nil }
        return .compare(register, comparison, decoded.bytes(NFTNL_EXPR_CMP_DATA))
    }

    private static func bitwise(_ decoded: DecodedExpression) -> RuleExpression? {
        guard let register = decoded.register(NFTNL_EXPR_BITWISE_SREG),
            register == decoded.register(NFTNL_EXPR_BITWISE_DREG),
            // NFT_BITWISE_BOOL, which newer headers call NFT_BITWISE_MASK_XOR.
            decoded.number(NFTNL_EXPR_BITWISE_OP) == 0
        else { return nil }
        return .bitwise(
            register, mask: decoded.bytes(NFTNL_EXPR_BITWISE_MASK), flip: decoded.bytes(NFTNL_EXPR_BITWISE_XOR))
    }

    private static func destinationType(_ decoded: DecodedExpression) -> RuleExpression? {
        guard decoded.number(NFTNL_EXPR_FIB_RESULT) == NFT_FIB_RESULT_ADDRTYPE.rawValue,
            decoded.number(NFTNL_EXPR_FIB_FLAGS) == NFTA_FIB_F_DADDR.rawValue
        else { return nil }
        return decoded.register(NFTNL_EXPR_FIB_DREG).map { .destinationType(into: $0) }
    }

    private static func socketCgroup(_ decoded: DecodedExpression) -> RuleExpression? {
        guard decoded.number(NFTNL_EXPR_SOCKET_KEY) == NFT_SOCKET_CGROUPV2.rawValue,
            let register = decoded.register(NFTNL_EXPR_SOCKET_DREG)
        else { return nil }
        return .socketCgroup(level: decoded.number(NFTNL_EXPR_SOCKET_LEVEL), into: register)
    }

    private static func lookUp(_ decoded: DecodedExpression) -> RuleExpression? {
        // Flag 1 is the inversion (NFT_LOOKUP_F_INV): never ours.
        guard let register = decoded.register(NFTNL_EXPR_LOOKUP_SREG), !decoded.has(NFTNL_EXPR_LOOKUP_DREG),
            !decoded.has(NFTNL_EXPR_LOOKUP_FLAGS) || decoded.number(NFTNL_EXPR_LOOKUP_FLAGS) == 0
        else { return nil }
        return .lookUp(register, set: decoded.string(NFTNL_EXPR_LOOKUP_SET))
    }

    private static func immediate(_ decoded: DecodedExpression) -> RuleExpression? {
        if decoded.number(NFTNL_EXPR_IMM_DREG) == NFT_REG_VERDICT.rawValue {
            let number = Int32(bitPattern: decoded.number(NFTNL_EXPR_IMM_VERDICT))
            return Verdict(rawValue: number).map { .verdict($0) }
        }
        return decoded.register(NFTNL_EXPR_IMM_DREG).map { .immediate($0, decoded.bytes(NFTNL_EXPR_IMM_DATA)) }
    }

    private static func redirect(_ decoded: DecodedExpression) -> RuleExpression? {
        guard let lowest = decoded.register(NFTNL_EXPR_REDIR_REG_PROTO_MIN) else { return nil }
        guard let highest = decoded.register(NFTNL_EXPR_REDIR_REG_PROTO_MAX), highest != lowest else {
            return .redirect(port: lowest)
        }
        return nil
    }
}
