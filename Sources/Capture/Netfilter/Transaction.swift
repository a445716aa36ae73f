internal import CNetfilter

/// Changes to the pod's table that the kernel makes all at once or not at all.
struct Transaction: ~Copyable {
    private static let family = UInt16(NFPROTO_INET)
    /// So many elements of a set fit a message with room to spare.
    private static let elementsPerMessage = 64

    private var messages: NetlinkMessages

    init(_ messages: consuming NetlinkMessages) {
        self.messages = messages
        unsafe self.messages.append(.transaction) { start, sequence in
            unsafe OutgoingMessage(nftnl_batch_begin(start, sequence))
        }
    }

    /// Puts `ruleset` in the place of whatever the table held: makes sure that there is a table, deletes it, makes it.
    mutating func replaceTable(with ruleset: Ruleset) throws(CaptureError) {
        try deleteTable()
        try changeTable(NFT_MSG_NEWTABLE)
        for set in ruleset.sets { try add(set) }
        for chain in ruleset.chains { try add(chain) }
    }

    /// Deletes the table; no error where there is none.
    mutating func deleteTable() throws(CaptureError) {
        try changeTable(NFT_MSG_NEWTABLE)
        try changeTable(NFT_MSG_DELTABLE)
    }

    /// Deletes the rules of a chain that exists.
    mutating func flushChain(_ name: String) throws(CaptureError) {
        let object = try RuleObject(chain: name)
        append(.chain(name), NFT_MSG_DELRULE, flags: 0) { object.write(to: $0) }
    }

    mutating func addElements(_ elements: Set<NamedSet.Element>, to set: String) throws(CaptureError) {
        try changeElements(elements, of: set, NFT_MSG_NEWSETELEM, flags: NLM_F_CREATE)
    }

    mutating func removeElements(_ elements: Set<NamedSet.Element>, from set: String) throws(CaptureError) {
        try changeElements(elements, of: set, NFT_MSG_DELSETELEM, flags: 0)
    }

    /// Hands all of it to the kernel.
    /// - Throws: `rejected`, naming the first object that the kernel refused; then nothing has changed.
    consuming func commit(to socket: inout NetlinkSocket) throws(CaptureError) {
        // The end of a batch is not acknowledged by older kernels, what stands before it is.
        messages.acknowledgeLast()
        unsafe messages.append(.transaction) { start, sequence in
            unsafe OutgoingMessage(nftnl_batch_end(start, sequence))
        }
        if let failure = try socket.perform(messages) { throw failure.error(.rejected) }
    }

    private mutating func changeTable(_ kind: nf_tables_msg_types) throws(CaptureError) {
        guard let table = unsafe nftnl_table_alloc() else { throw CaptureError(.resources, "no memory for a table") }
        defer { unsafe nftnl_table_free(table) }
        unsafe _ = nftnl_table_set_str(table, UInt16(NFTNL_TABLE_NAME.rawValue), Ruleset.tableName)
        append(.table, kind, flags: kind == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0) {
            unsafe nftnl_table_nlmsg_build_payload($0.header, table)
        }
    }

    private mutating func add(_ set: NamedSet) throws(CaptureError) {
        let object = try SetObject(name: set.name)
        object.set(NFTNL_SET_FAMILY, UInt32(Self.family))
        object.set(NFTNL_SET_KEY_TYPE, set.key.typeNumber)
        object.set(NFTNL_SET_KEY_LEN, set.key.length)
        object.set(NFTNL_SET_FLAGS, set.key.flags)
        // Only tells the new sets of one transaction apart.
        object.set(NFTNL_SET_ID, messages.nextSequence)
        if set.key == .cgroup { object.noteHostOrder() }
        if !set.key.fieldLengths.isEmpty { object.setFieldLengths(set.key.fieldLengths) }
        append(.set(set.name), NFT_MSG_NEWSET, flags: NLM_F_CREATE) { object.write(to: $0) }
        try addElements(set.elements, to: set.name)
    }

    private mutating func changeElements(
        _ elements: Set<NamedSet.Element>, of set: String, _ kind: nf_tables_msg_types, flags: Int32
    ) throws(CaptureError) {
        // The kernel lists intervals in the order in which they came.
        var remaining = elements.sorted { $0.first.lexicographicallyPrecedes($1.first) }[...]
        while !remaining.isEmpty {
            let object = try SetObject(name: set)
            for element in remaining.prefix(Self.elementsPerMessage) { try object.add(element) }
            remaining = remaining.dropFirst(Self.elementsPerMessage)
            append(.set(set), kind, flags: flags) { object.writeElements(to: $0) }
        }
    }

    private mutating func add(_ chain: Chain) throws(CaptureError) {
        let object = try ChainObject(chain)
        append(.chain(chain.name), NFT_MSG_NEWCHAIN, flags: NLM_F_CREATE) { object.write(to: $0) }
        for rule in chain.rules {
            let object = try RuleObject(chain: chain.name)
            for expression in rule.expressions { object.add(try expression.makeObject()) }
            append(.rule(chain: chain.name, purpose: rule.purpose), NFT_MSG_NEWRULE, flags: NLM_F_CREATE | NLM_F_APPEND)
            {
                object.write(to: $0)
            }
        }
    }

    private mutating func append(
        _ subject: NetlinkMessages.Subject, _ kind: nf_tables_msg_types, flags: Int32,
        _ write: (OutgoingMessage) -> Void
    ) {
        unsafe messages.append(subject) { start, sequence in
            let header = unsafe nftnl_nlmsg_build_hdr(
                start, UInt16(truncatingIfNeeded: kind.rawValue), Self.family, UInt16(truncatingIfNeeded: flags),
                sequence)
            guard let message = unsafe OutgoingMessage(header) else { return nil }
            write(message)
            return message
        }
    }
}
