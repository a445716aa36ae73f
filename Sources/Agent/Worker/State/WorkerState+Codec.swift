internal import Mesh

/// The form of a `WorkerState` as bytes. All numbers are little-endian.
///
/// ```
/// "MNSTATE\0"  version u32  sections u32  length of all that follows the checksum u64  checksum u64
/// section:     kind u32     length u64    that many bytes
///   1 head          node text, writtenAt i64
///   2 mesh          opaque
///   3 certificate   identity text, version u64, key bytes, chain count u32, each bytes     (one section each)
///   4 bundle        trust domain text, root count u32, each bytes                          (one section each)
///   5 revocations   count u32, each text
/// text, bytes:  length u32, that many bytes; texts are UTF-8
/// ```
/// A section of another kind is skipped: an older worker can read what a newer one of the same version left. The
/// checksum finds mistakes, not malice: what is read is checked as if a stranger had written it.
extension WorkerState {
    /// Raised when what is there changes its meaning.
    static let version: UInt32 = 1
    /// Longest form that is written or read, in bytes: what a mesh of a hundred thousand workloads needs, twice.
    static let maximumLength = 256 << 20

    fileprivate static let magic = Array("MNSTATE\0".utf8)
    fileprivate static let headerLength = 32

    fileprivate enum Kind {
        static let head: UInt32 = 1
        static let mesh: UInt32 = 2
        static let certificate: UInt32 = 3
        static let bundle: UInt32 = 4
        static let revocations: UInt32 = 5
    }

    // MARK: Writing

    /// Throws `unusableState` if it is longer than may be read.
    func encoded() throws(AgentError) -> [UInt8] {
        var sections = StateWriter()
        var count: UInt32 = 0
        func section(_ kind: UInt32, _ write: (inout StateWriter) -> Void) {
            var body = StateWriter()
            write(&body)
            sections.number(kind)
            sections.number(UInt64(body.bytes.count))
            sections.bytes += body.bytes
            count += 1
        }
        section(Kind.head) { head in
            head.text(node)
            head.number(UInt64(bitPattern: writtenAt))
        }
        section(Kind.mesh) { $0.bytes += mesh }
        for certificate in certificates { section(Kind.certificate) { certificate.write(to: &$0) } }
        for bundle in bundles { section(Kind.bundle) { bundle.write(to: &$0) } }
        section(Kind.revocations) { body in
            body.number(UInt32(clamping: revokedSerials.count))
            for serial in revokedSerials { body.text(serial) }
        }
        var all = StateWriter()
        all.bytes = Self.magic
        all.number(Self.version)
        all.number(count)
        all.number(UInt64(sections.bytes.count))
        all.number(Self.checksum(sections.bytes[...], count))
        all.bytes += sections.bytes
        guard all.bytes.count <= Self.maximumLength else {
            throw AgentError(
                .unusableState, "the state of the worker has \(all.bytes.count) bytes: too much to hand on")
        }
        return all.bytes
    }

    // MARK: Reading

    /// Reads what `encoded` wrote. Throws `unusableState` for anything else; never traps, and never takes more memory
    /// than `bytes` has.
    init(decoding bytes: [UInt8]) throws(AgentError) {
        guard bytes.count <= Self.maximumLength else { throw .unusable("it is too long") }
        var reader = StateReader(bytes[...])
        guard try reader.take(Self.magic.count).elementsEqual(Self.magic) else {
            throw .unusable("it is not a worker's state")
        }
        let version: UInt32 = try reader.number()
        guard version == Self.version else { throw .unusable("it has version \(version), not \(Self.version)") }
        let count: UInt32 = try reader.number()
        let length: UInt64 = try reader.number()
        let checksum: UInt64 = try reader.number()
        guard length == UInt64(reader.rest.count) else { throw .unusable("it is cut short") }
        guard checksum == Self.checksum(reader.rest, count) else { throw .unusable("its checksum is wrong") }
        self.init(node: "", writtenAt: 0)
        var hasHead = false
        for _ in 0..<count {
            let kind: UInt32 = try reader.number()
            let length: UInt64 = try reader.number()
            guard let length = Int(exactly: length) else { throw .unusable("a section is longer than all of it") }
            var body = StateReader(try reader.take(length))
            try read(kind, &body)
            if kind == Kind.head { hasHead = true }
        }
        guard hasHead, reader.rest.isEmpty else { throw .unusable("its sections do not fit") }
    }

    private mutating func read(_ kind: UInt32, _ body: inout StateReader) throws(AgentError) {
        switch kind {
        case Kind.head:
            node = try body.text()
            writtenAt = Int64(bitPattern: try body.number())
        case Kind.mesh: mesh = Array(body.rest)
        case Kind.certificate: certificates.append(try Certificate(from: &body))
        case Kind.bundle: bundles.append(try Bundle(from: &body))
        case Kind.revocations:
            let count: UInt32 = try body.number()
            revokedSerials = []
            for _ in 0..<count { revokedSerials.append(try body.text()) }
        default: break
        }
    }

    /// `bytes` with the length and checksum that it should have, for tests: what a stranger could write.
    static func withRightChecksum(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.count >= headerLength else { return bytes }
        var count: UInt32 = 0
        for index in 0..<4 { count |= UInt32(bytes[12 + index]) << (8 * index) }
        var header = StateWriter()
        header.number(UInt64(bytes.count - headerLength))
        header.number(checksum(bytes[headerLength...], count))
        return Array(bytes[..<16]) + header.bytes + Array(bytes[headerLength...])
    }

    /// Eight bytes at a time, each mixed into all that came before.
    private static func checksum(_ bytes: ArraySlice<UInt8>, _ seed: UInt32) -> UInt64 {
        var hash = UInt64(seed) ^ UInt64(bytes.count) << 32
        var word: UInt64 = 0
        var filled = 0
        for byte in bytes {
            word = word << 8 | UInt64(byte)
            filled += 1
            if filled == 8 {
                hash = StableHash.mixed(hash ^ word)
                filled = 0
                word = 0
            }
        }
        return StableHash.mixed(hash ^ word &+ UInt64(filled))
    }
}

extension WorkerState.Certificate {
    fileprivate func write(to body: inout StateWriter) {
        body.text(identity)
        body.number(version)
        body.string(key)
        body.strings(chain)
    }

    fileprivate init(from body: inout StateReader) throws(AgentError) {
        let identity = try body.text()
        let version: UInt64 = try body.number()
        let key = Array(try body.string())
        self.init(identity: identity, chain: try body.strings(), key: key, version: version)
    }
}

extension WorkerState.Bundle {
    fileprivate func write(to body: inout StateWriter) {
        body.text(trustDomain)
        body.strings(roots)
    }

    fileprivate init(from body: inout StateReader) throws(AgentError) {
        let domain = try body.text()
        self.init(trustDomain: domain, roots: try body.strings())
    }
}
