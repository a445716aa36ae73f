internal import CNetfilter

/// Netlink messages one behind the other, as one send takes them; each with the name of what it is about.
@safe
struct NetlinkMessages: ~Copyable {
    /// libnftnl checks no bounds: so much is free before each message, and no message of ours comes near it.
    private static let headroom = 16 * 1024

    private var memory: UnsafeMutableRawBufferPointer
    private var length = 0
    private var lastOffset = 0
    /// The number of the first message; the others count up from it.
    let firstSequence: UInt32
    private var subjects: [Subject] = []
    /// The number of the message that the kernel answers even if nothing went wrong.
    private(set) var acknowledgedSequence: UInt32?

    /// What a message is about; text only when an error names it.
    enum Subject {
        case transaction, table, chain(String), set(String), rule(chain: String, purpose: String), listing(String)
        case policyRule, policyRoute, trackedConnection
    }

    init(firstSequence: UInt32) {
        self.firstSequence = firstSequence
        unsafe memory = .allocate(byteCount: 2 * Self.headroom, alignment: 16)
    }

    deinit { unsafe memory.deallocate() }

    /// The number of the message that comes next.
    var nextSequence: UInt32 { firstSequence &+ UInt32(truncatingIfNeeded: subjects.count) }

    /// - Parameter write: lays out one message at the address, which has `headroom` bytes, and returns its header.
    mutating func append(
        _ subject: Subject, write: (UnsafeMutableRawPointer, UInt32) -> OutgoingMessage?
    ) {
        makeRoom()
        guard let base = unsafe memory.baseAddress, let message = unsafe write(base + length, nextSequence) else {
            return
        }
        lastOffset = length
        length += (Int(unsafe message.header.pointee.nlmsg_len) + 3) & ~3
        subjects.append(subject)
    }

    /// Asks the kernel to answer the last message even if nothing went wrong.
    mutating func acknowledgeLast() {
        guard let base = unsafe memory.baseAddress, length > 0 else { return }
        let header = unsafe (base + lastOffset).assumingMemoryBound(to: nlmsghdr.self)
        unsafe header.pointee.nlmsg_flags |= UInt16(NLM_F_ACK)
        acknowledgedSequence = nextSequence &- 1
    }

    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        unsafe body(UnsafeRawBufferPointer(rebasing: memory[..<length]))
    }

    /// Whether the message of this number is one of these.
    func owns(_ sequence: UInt32) -> Bool { Int(sequence &- firstSequence) < subjects.count }

    /// What the message of this number is about, in words.
    func subject(of sequence: UInt32) -> String {
        let index = Int(sequence &- firstSequence)
        guard index < subjects.count else { return "an unknown message" }
        return switch subjects[index] {
        case .transaction: "the transaction"
        case .table: "table \(Ruleset.tableName)"
        case .chain(let name): "chain \(name)"
        case .set(let name): "set \(name)"
        case .rule(let chain, let purpose): "rule \"\(purpose)\" of chain \(chain)"
        case .listing(let what): "the listing of \(what)"
        case .policyRule: "the policy rule"
        case .policyRoute: "the policy route"
        case .trackedConnection: "the tracking of an earlier connection"
        }
    }

    private mutating func makeRoom() {
        guard unsafe memory.count - length < Self.headroom else { return }
        let larger = unsafe UnsafeMutableRawBufferPointer.allocate(byteCount: memory.count * 2, alignment: 16)
        unsafe larger.copyMemory(from: UnsafeRawBufferPointer(memory))
        unsafe memory.deallocate()
        unsafe memory = larger
    }
}
