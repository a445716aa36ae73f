/// One instruction of a rule (`struct nft_expr_ops` in the kernel). Bytes are as they stand in the register:
/// addresses and ports in network order, everything else in host order.
enum RuleExpression: Hashable, Sendable {
    /// A register of 16 bytes, or a word of 4 inside one (`enum nft_registers`).
    enum Register: UInt32, Sendable {
        case one = 1
        case two = 2
        /// The second word of register one.
        case secondWord = 9
    }

    /// `enum nft_meta_keys`.
    enum MetaKey: UInt32, Sendable {
        case mark = 3, inputName = 6, outputName = 7, family = 15, protocolNumber = 16
    }

    /// `enum nft_ct_keys`.
    enum ConnectionKey: UInt32, Sendable {
        case direction = 1, mark = 3
    }

    /// `enum nft_payload_bases`.
    enum Header: UInt32, Sendable {
        case network = 1, transport = 2
    }

    /// `enum nft_cmp_ops`.
    enum Comparison: UInt32, Sendable {
        case equal = 0, notEqual = 1
    }

    /// NF_DROP, NF_ACCEPT (linux/netfilter.h), NFT_RETURN (`enum nft_verdicts`).
    enum Verdict: Int32, Sendable {
        case drop = 0, accept = 1, leaveChain = -5
    }

    case meta(MetaKey, into: Register)
    case setMeta(MetaKey, from: Register)
    case connection(ConnectionKey, into: Register)
    case setConnection(ConnectionKey, from: Register)
    case payload(Header, offset: UInt32, length: UInt32, into: Register)
    case compare(Register, Comparison, [UInt8])
    /// register = (register & mask) ^ flip
    case bitwise(Register, mask: [UInt8], flip: [UInt8])
    /// The type of the destination address in the routing table, `RTN_*` of linux/rtnetlink.h.
    case destinationType(into: Register)
    /// The identifier of the socket's ancestor cgroup at the level.
    case socketCgroup(level: UInt32, into: Register)
    case lookUp(Register, set: String)
    case immediate(Register, [UInt8])
    case verdict(Verdict)
    /// To this port of this machine; the port stands in the register.
    case redirect(port: Register)
    /// The numbers are no part of the rule.
    case counter
    /// Found in the kernel and never written by us.
    case foreign(String)
}
