internal import CNetfilter

/// An expression of libnftnl that is still ours; a rule takes it over.
@safe
struct ExpressionObject: ~Copyable {
    private let object: OpaquePointer

    /// - Parameter name: the kernel's name of the expression type.
    init(_ name: String) throws(CaptureError) {
        guard let made = unsafe nftnl_expr_alloc(name) else {
            throw CaptureError(.resources, "no memory for an expression of type \(name)")
        }
        unsafe object = made
    }

    deinit { unsafe nftnl_expr_free(object) }

    func set(_ attribute: Int, _ value: UInt32) {
        unsafe nftnl_expr_set_u32(object, UInt16(truncatingIfNeeded: attribute), value)
    }

    /// - Parameter bytes: at most 16, the size of a register: libnftnl checks nothing.
    func set(_ attribute: Int, bytes: [UInt8]) {
        let bytes = bytes.prefix(16)
        unsafe bytes.withUnsafeBytes { raw in
            _ = unsafe nftnl_expr_set(
                object, UInt16(truncatingIfNeeded: attribute), raw.baseAddress, UInt32(truncatingIfNeeded: raw.count))
        }
    }

    func set(_ attribute: Int, text: String) {
        unsafe _ = nftnl_expr_set_str(object, UInt16(truncatingIfNeeded: attribute), text)
    }

    /// The caller frees it, or hands it to a rule that does.
    consuming func take() -> OpaquePointer {
        let result = unsafe object
        discard self
        return unsafe result
    }
}

/// A rule of libnftnl with its expressions.
@safe
struct RuleObject: ~Copyable {
    private let object: OpaquePointer

    init() throws(CaptureError) {
        guard let made = unsafe nftnl_rule_alloc() else { throw CaptureError(.resources, "no memory for a rule") }
        unsafe object = made
    }

    /// A rule of the table, and of the chain if one is named.
    init(chain: String?) throws(CaptureError) {
        try self.init()
        unsafe _ = nftnl_rule_set_str(object, UInt16(NFTNL_RULE_TABLE.rawValue), Ruleset.tableName)
        if let chain { unsafe _ = nftnl_rule_set_str(object, UInt16(NFTNL_RULE_CHAIN.rawValue), chain) }
    }

    deinit { unsafe nftnl_rule_free(object) }

    func add(_ expression: consuming ExpressionObject) {
        unsafe nftnl_rule_add_expr(object, expression.take())
    }

    func write(to message: OutgoingMessage) {
        unsafe nftnl_rule_nlmsg_build_payload(message.header, object)
    }

    /// - Returns: false where the message is no rule.
    func read(_ message: IncomingMessage) -> Bool { unsafe nftnl_rule_nlmsg_parse(message.header, object) >= 0 }

    var chain: String { unsafe text(nftnl_rule_get_str(object, UInt16(NFTNL_RULE_CHAIN.rawValue))) }
    var table: String { unsafe text(nftnl_rule_get_str(object, UInt16(NFTNL_RULE_TABLE.rawValue))) }

    func forEachExpression(_ body: (DecodedExpression) -> Void) {
        guard let iterator = unsafe nftnl_expr_iter_create(object) else { return }
        defer { unsafe nftnl_expr_iter_destroy(iterator) }
        while let expression = unsafe nftnl_expr_iter_next(iterator) {
            body(unsafe DecodedExpression(expression))
        }
    }
}

/// A chain of libnftnl.
@safe
struct ChainObject: ~Copyable {
    private let object: OpaquePointer

    init() throws(CaptureError) {
        guard let made = unsafe nftnl_chain_alloc() else { throw CaptureError(.resources, "no memory for a chain") }
        unsafe object = made
    }

    init(_ chain: Chain) throws(CaptureError) {
        try self.init()
        unsafe _ = nftnl_chain_set_str(object, UInt16(NFTNL_CHAIN_TABLE.rawValue), Ruleset.tableName)
        unsafe _ = nftnl_chain_set_str(object, UInt16(NFTNL_CHAIN_NAME.rawValue), chain.name)
        unsafe _ = nftnl_chain_set_str(object, UInt16(NFTNL_CHAIN_TYPE.rawValue), chain.kind.rawValue)
        unsafe nftnl_chain_set_u32(object, UInt16(NFTNL_CHAIN_HOOKNUM.rawValue), chain.hook.rawValue)
        unsafe nftnl_chain_set_s32(object, UInt16(NFTNL_CHAIN_PRIO.rawValue), chain.priority)
        unsafe nftnl_chain_set_u32(object, UInt16(NFTNL_CHAIN_POLICY.rawValue), UInt32(NF_ACCEPT))
    }

    deinit { unsafe nftnl_chain_free(object) }

    func write(to message: OutgoingMessage) {
        unsafe nftnl_chain_nlmsg_build_payload(message.header, object)
    }

    /// - Returns: false where the message is no chain.
    func read(_ message: IncomingMessage) -> Bool { unsafe nftnl_chain_nlmsg_parse(message.header, object) >= 0 }

    var table: String { unsafe text(nftnl_chain_get_str(object, UInt16(NFTNL_CHAIN_TABLE.rawValue))) }
    var name: String { unsafe text(nftnl_chain_get_str(object, UInt16(NFTNL_CHAIN_NAME.rawValue))) }
    var kind: String { unsafe text(nftnl_chain_get_str(object, UInt16(NFTNL_CHAIN_TYPE.rawValue))) }
    var hook: UInt32 { unsafe nftnl_chain_get_u32(object, UInt16(NFTNL_CHAIN_HOOKNUM.rawValue)) }
    var priority: Int32 { unsafe nftnl_chain_get_s32(object, UInt16(NFTNL_CHAIN_PRIO.rawValue)) }
    var policy: UInt32 { unsafe nftnl_chain_get_u32(object, UInt16(NFTNL_CHAIN_POLICY.rawValue)) }
}

/// A set of libnftnl, or a few elements for one.
@safe
struct SetObject: ~Copyable {
    private let object: OpaquePointer

    init() throws(CaptureError) {
        guard let made = unsafe nftnl_set_alloc() else { throw CaptureError(.resources, "no memory for a set") }
        unsafe object = made
    }

    init(name: String?) throws(CaptureError) {
        try self.init()
        unsafe _ = nftnl_set_set_str(object, UInt16(NFTNL_SET_TABLE.rawValue), Ruleset.tableName)
        if let name { unsafe _ = nftnl_set_set_str(object, UInt16(NFTNL_SET_NAME.rawValue), name) }
    }

    deinit { unsafe nftnl_set_free(object) }

    func set(_ attribute: nftnl_set_attr, _ value: UInt32) {
        unsafe nftnl_set_set_u32(object, UInt16(attribute.rawValue), value)
    }

    /// - Parameter lengths: of the fields of a concatenated key, in bytes.
    func setFieldLengths(_ lengths: [UInt8]) {
        unsafe lengths.withUnsafeBytes { raw in
            _ = unsafe nftnl_set_set_data(
                object, UInt16(NFTNL_SET_DESC_CONCAT.rawValue), raw.baseAddress, UInt32(truncatingIfNeeded: raw.count))
        }
    }

    /// Notes for nft's listing that the keys are in host order: NFTNL_UDATA_SET_KEYBYTEORDER, of four bytes, 1.
    func noteHostOrder() {
        let note: [UInt8] = [0, 4] + hostOrder(UInt32(1))
        unsafe note.withUnsafeBytes { raw in
            _ = unsafe nftnl_set_set_data(
                object, UInt16(NFTNL_SET_USERDATA.rawValue), raw.baseAddress, UInt32(truncatingIfNeeded: raw.count))
        }
    }

    func add(_ element: NamedSet.Element) throws(CaptureError) {
        guard let made = unsafe nftnl_set_elem_alloc() else {
            throw CaptureError(.resources, "no memory for an element")
        }
        for (attribute, bytes) in [(NFTNL_SET_ELEM_KEY, element.first), (NFTNL_SET_ELEM_KEY_END, element.last ?? [])]
        where !bytes.isEmpty {
            unsafe bytes.withUnsafeBytes { raw in
                _ = unsafe nftnl_set_elem_set(
                    made, UInt16(truncatingIfNeeded: attribute), raw.baseAddress, UInt32(truncatingIfNeeded: raw.count))
            }
        }
        unsafe nftnl_set_elem_add(object, made)
    }

    func write(to message: OutgoingMessage) {
        unsafe nftnl_set_nlmsg_build_payload(message.header, object)
    }

    func writeElements(to message: OutgoingMessage) {
        unsafe nftnl_set_elems_nlmsg_build_payload(message.header, object)
    }

    /// - Returns: false where the message is no set.
    func read(_ message: IncomingMessage) -> Bool { unsafe nftnl_set_nlmsg_parse(message.header, object) >= 0 }

    /// - Returns: false where the message is no list of elements.
    func readElements(_ message: IncomingMessage) -> Bool {
        unsafe nftnl_set_elems_nlmsg_parse(message.header, object) >= 0
    }

    var name: String { unsafe text(nftnl_set_get_str(object, UInt16(NFTNL_SET_NAME.rawValue))) }

    func number(_ attribute: nftnl_set_attr) -> UInt32 { unsafe nftnl_set_get_u32(object, UInt16(attribute.rawValue)) }

    var elements: Set<NamedSet.Element> {
        guard let iterator = unsafe nftnl_set_elems_iter_create(object) else { return [] }
        defer { unsafe nftnl_set_elems_iter_destroy(iterator) }
        var result: Set<NamedSet.Element> = []
        while let element = unsafe nftnl_set_elems_iter_next(iterator) {
            func bytes(_ attribute: Int) -> [UInt8]? {
                var length: UInt32 = 0
                let number = UInt16(truncatingIfNeeded: attribute)
                guard unsafe nftnl_set_elem_is_set(element, number) else { return nil }
                let start = unsafe nftnl_set_elem_get(element, number, &length)
                return unsafe Array(UnsafeRawBufferPointer(start: start, count: Int(length)))
            }
            result.insert(
                NamedSet.Element(first: bytes(NFTNL_SET_ELEM_KEY) ?? [], last: bytes(NFTNL_SET_ELEM_KEY_END)))
        }
        return result
    }
}

/// A string of libnftnl; empty where there is none.
func text(_ start: UnsafePointer<CChar>?) -> String {
    guard let start = unsafe start else { return "" }
    return unsafe String(cString: start)
}
