internal import CNetfilter

/// The pod's table as the kernel has it.
struct CaptureState {
    /// Nil where there is no table.
    var ruleset: Ruleset?
    /// What the counters in the chains of this name have counted.
    var counts: [String: TrafficCount] = [:]

    /// Lists table, chains, rules, sets and their elements.
    static func read(from socket: inout NetlinkSocket) throws(CaptureError) -> CaptureState {
        var state = CaptureState()
        guard try hasTable(&socket) else { return state }
        var ruleset = Ruleset(sets: try sets(&socket), chains: try chains(&socket))
        let (rules, counts) = try rules(&socket)
        for index in ruleset.chains.indices { ruleset.chains[index].rules = rules[ruleset.chains[index].name] ?? [] }
        state.ruleset = ruleset
        state.counts = counts
        return state
    }

    /// A number that changes with every change of any table in the namespace (NFTA_GEN_ID).
    static func generation(from socket: inout NetlinkSocket) throws(CaptureError) -> UInt32 {
        var messages = socket.makeMessages()
        append(to: &messages, "the generation", NFT_MSG_GETGEN, flags: NLM_F_ACK) { _ in }
        messages.acknowledgeLast()
        var generation: UInt32?
        let failure = try socket.list(messages) { message in
            if let number = message.number(Int(NFTA_GEN_ID.rawValue), behind: MemoryLayout<nfgenmsg>.size) {
                generation = UInt32(bigEndian: number)
            }
        }
        if let failure { throw failure.error(.unreadable) }
        guard let generation else { throw CaptureError(.unreadable, "the kernel named no generation of the ruleset") }
        return generation
    }

    /// Whether the table exists.
    static func hasTable(_ socket: inout NetlinkSocket) throws(CaptureError) -> Bool {
        guard let table = unsafe nftnl_table_alloc() else { throw CaptureError(.resources, "no memory for a table") }
        defer { unsafe nftnl_table_free(table) }
        unsafe _ = nftnl_table_set_str(table, UInt16(NFTNL_TABLE_NAME.rawValue), Ruleset.tableName)
        var messages = socket.makeMessages()
        append(to: &messages, "the table", NFT_MSG_GETTABLE, flags: NLM_F_ACK) {
            unsafe nftnl_table_nlmsg_build_payload($0.header, table)
        }
        messages.acknowledgeLast()
        let failure = try socket.list(messages) { _ in }
        if failure?.errno == Int32(MN_ENOENT) { return false }
        if let failure { throw failure.error(.unreadable) }
        return true
    }

    /// The chains without their rules; foreign ones under a name that no chain of ours has.
    private static func chains(_ socket: inout NetlinkSocket) throws(CaptureError) -> [Chain] {
        var chains: [Chain] = []
        var isReadable = true
        var messages = socket.makeMessages()
        append(to: &messages, "chains", NFT_MSG_GETCHAIN, flags: NLM_F_DUMP) { _ in }
        let failure = try socket.list(messages) { message in
            guard let object = try? ChainObject(), object.read(message) else {
                isReadable = false
                return
            }
            guard object.table == Ruleset.tableName else { return }
            guard let kind = Chain.Kind(rawValue: object.kind), let hook = Chain.Hook(rawValue: object.hook),
                object.policy == UInt32(NF_ACCEPT)
            else {
                chains.append(
                    Chain(name: object.name + " (changed)", kind: .filter, hook: .forward, priority: 0, rules: []))
                return
            }
            chains.append(Chain(name: object.name, kind: kind, hook: hook, priority: object.priority, rules: []))
        }
        if let failure { throw failure.error(.unreadable) }
        guard isReadable else { throw CaptureError(.unreadable, "a chain of the pod could not be read") }
        return chains
    }

    private static func rules(
        _ socket: inout NetlinkSocket
    ) throws(CaptureError) -> (rules: [String: [Rule]], counts: [String: TrafficCount]) {
        var rules: [String: [Rule]] = [:]
        var counts: [String: TrafficCount] = [:]
        var isReadable = true
        let filter = try RuleObject(chain: nil)
        var messages = socket.makeMessages()
        append(to: &messages, "rules", NFT_MSG_GETRULE, flags: NLM_F_DUMP) { filter.write(to: $0) }
        let failure = try socket.list(messages) { message in
            guard let object = try? RuleObject(), object.read(message) else {
                isReadable = false
                return
            }
            guard object.table == Ruleset.tableName else { return }
            var expressions: [RuleExpression] = []
            object.forEachExpression { decoded in
                let expression = RuleExpression(decoded)
                expressions.append(expression)
                if expression == .counter { counts[object.chain, default: TrafficCount()].add(decoded) }
            }
            rules[object.chain, default: []].append(Rule("as found", expressions))
        }
        if let failure { throw failure.error(.unreadable) }
        guard isReadable else { throw CaptureError(.unreadable, "a rule of the pod could not be read") }
        return (rules, counts)
    }

    private static func sets(_ socket: inout NetlinkSocket) throws(CaptureError) -> [NamedSet] {
        var sets: [NamedSet] = []
        var isReadable = true
        let filter = try SetObject(name: nil)
        var messages = socket.makeMessages()
        append(to: &messages, "sets", NFT_MSG_GETSET, flags: NLM_F_DUMP) { filter.write(to: $0) }
        let failure = try socket.list(messages) { message in
            guard let object = try? SetObject(), object.read(message) else {
                isReadable = false
                return
            }
            // A set of another kind is none of ours: it is reported as a set without a name that we use.
            let key = NamedSet.Key(typeNumber: object.number(NFTNL_SET_KEY_TYPE), flags: object.number(NFTNL_SET_FLAGS))
            sets.append(NamedSet(name: object.name + (key == nil ? " (changed)" : ""), key: key ?? .port, elements: []))
        }
        if let failure { throw failure.error(.unreadable) }
        guard isReadable else { throw CaptureError(.unreadable, "a set of the pod could not be read") }
        for index in sets.indices { sets[index].elements = try elements(of: sets[index].name, &socket) }
        return sets
    }

    private static func elements(
        of set: String, _ socket: inout NetlinkSocket
    ) throws(CaptureError) -> Set<NamedSet.Element> {
        let filter = try SetObject(name: set)
        let found = try SetObject(name: set)
        var isReadable = true
        var messages = socket.makeMessages()
        append(to: &messages, "set \(set)", NFT_MSG_GETSETELEM, flags: NLM_F_DUMP) { filter.writeElements(to: $0) }
        let failure = try socket.list(messages) { message in
            if !found.readElements(message) { isReadable = false }
        }
        if failure?.errno == Int32(MN_ENOENT) { return [] }
        if let failure { throw failure.error(.unreadable) }
        guard isReadable else { throw CaptureError(.unreadable, "the elements of set \(set) could not be read") }
        return found.elements
    }

    private static func append(
        to messages: inout NetlinkMessages, _ what: String, _ kind: nf_tables_msg_types, flags: Int32,
        _ write: (OutgoingMessage) -> Void
    ) {
        unsafe messages.append(.listing(what)) { start, sequence in
            let header = unsafe nftnl_nlmsg_build_hdr(
                start, UInt16(truncatingIfNeeded: kind.rawValue), UInt16(NFPROTO_INET),
                UInt16(truncatingIfNeeded: flags), sequence)
            guard let message = unsafe OutgoingMessage(header) else { return nil }
            write(message)
            return message
        }
    }
}

/// Packets and bytes that a rule has counted.
package struct TrafficCount: Hashable, Sendable {
    /// Packets that reached the rule since it was made; a replaced rule starts again.
    package var packets: UInt64 = 0
    /// Their lengths added up, IP headers included.
    package var bytes: UInt64 = 0

    package init() {}

    package static func += (left: inout TrafficCount, right: TrafficCount) {
        left.packets &+= right.packets
        left.bytes &+= right.bytes
    }

    fileprivate mutating func add(_ counter: DecodedExpression) {
        packets &+= counter.wideNumber(NFTNL_EXPR_CTR_PACKETS)
        bytes &+= counter.wideNumber(NFTNL_EXPR_CTR_BYTES)
    }
}

extension NamedSet.Key {
    /// Nil for keys of another type and sets of another kind.
    fileprivate init?(typeNumber: UInt32, flags: UInt32) {
        let known: [NamedSet.Key] = [.cgroup, .port, .addressAndPortV4, .addressAndPortV6]
        guard let key = known.first(where: { $0.typeNumber == typeNumber && $0.flags == flags }) else { return nil }
        self = key
    }
}
