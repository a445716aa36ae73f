package import Bytes
internal import COpenSSL

/// One TLS 1.3 connection as a machine: ciphertext in, plaintext out, and the other way round. No socket, no clock.
///
///     handshaking --verified--> established --process() says closedByPeer / close()--> (half-)closed
///          |                         |
///          +--------- error ---------+--> failed(error): every call throws the same error again
///
/// The client begins with `startHandshake`. After every `process` and after every throw, take what is to be sent with
/// `flushPending` (handshake messages, key-update answers, the alert that tells the peer why). A FIN without
/// close_notify is the caller's to judge. Confined to its loop; not reentrant.
@safe package final class TLSConnection {
    private enum State {
        case handshaking
        case established
        case failed(TLSError)
    }

    /// Plaintext bytes of a full record (RFC 8446 section 5.1).
    package static let maxRecordPlaintext = 16_384
    /// What a record adds to its plaintext: header 5, content type 1, AEAD tag 16 (sections 5.2 and 5.3).
    package static let recordOverhead = 22
    /// New keys after this many records sealed: under the 2^24.5 that AES-GCM stands (RFC 8446 section 5.5).
    static let recordsPerKey = 1 << 23

    /// Kept alive for the callbacks, which live in its SSL_CTX.
    private let context: TLSContext
    private let verifier: any PeerVerifier
    private let ssl: OpaquePointer
    private let memory: UnsafeMutablePointer<CallerMemory>
    private var state = State.handshaking
    private var clientLacksALPN = false
    private var closedByPeer = false
    private var isClosed = false
    private var recordsSealed = 0
    /// Certificates the peer presented, leaf first; set when the verifier was asked.
    package private(set) var peerChain: [Certificate] = []

    /// - Parameter verifier: asked once, during the handshake; kept until the connection ends.
    ///
    /// Throws `library` if there is no memory.
    package init(context: TLSContext, verifier: any PeerVerifier) throws(TLSError) {
        ERR_clear_error()
        guard let ssl = unsafe SSL_new(context.handle) else { throw .fromQueue(otherwise: .library, "SSL_new") }
        let memory = UnsafeMutablePointer<CallerMemory>.allocate(capacity: 1)
        unsafe memory.initialize(to: CallerMemory())
        self.context = context
        self.verifier = verifier
        unsafe self.ssl = ssl
        unsafe self.memory = memory
        // From here on deinit cleans up, also when the initialiser throws.
        guard let bio = unsafe CallerMemoryBIO.make(over: memory) else {
            throw .fromQueue(otherwise: .library, "BIO_new")
        }
        // The same BIO for both directions takes over the one reference (SSL_set_bio(3)).
        unsafe SSL_set_bio(ssl, bio, bio)
        // Slot 0 is free for applications. Unretained: see verifyPeerCallback for why it never dangles.
        guard unsafe SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(self).toOpaque()) == 1 else {
            throw .fromQueue(otherwise: .library, "SSL_set_ex_data")
        }
        switch context.role {
        case .server: unsafe SSL_set_accept_state(ssl)
        case .client: unsafe SSL_set_connect_state(ssl)
        }
    }

    deinit {
        // The SSL first: it owns the BIO, and the BIO points to the memory.
        unsafe SSL_free(ssl)
        unsafe memory.deinitialize(count: 1)
        unsafe memory.deallocate()
    }

    /// The handshake is over and nothing failed since.
    package var isEstablished: Bool {
        if case .established = state { true } else { false }
    }

    /// The cipher suite's standard name, such as `TLS_AES_128_GCM_SHA256`; nil before the handshake chose it.
    package var cipherSuite: String? {
        guard let cipher = unsafe SSL_get_current_cipher(ssl), let name = unsafe SSL_CIPHER_standard_name(cipher) else {
            return nil
        }
        return unsafe String(cString: name)
    }

    // MARK: Inputs

    /// The client's first message goes to the pending output; a server has nothing to say yet.
    package func startHandshake() throws(TLSError) {
        guard case .handshaking = state, context.role == .client else { return }
        _ = try advanceHandshake()
    }

    /// Ciphertext arrived. Drives the handshake, then appends plaintext to `plaintext`'s writable space until the
    /// ciphertext is used up or the space is. Calls the verifier when the peer's certificate comes.
    ///
    /// - Parameters:
    ///   - ciphertext: bytes of the socket, from the first that was not consumed; may be empty.
    ///   - plaintext: at least one writable byte once established, or nothing is done.
    ///
    /// After a throw the connection is of no use: flush the alert and close.
    package func process(ciphertext: RawSpan, plaintext: inout ByteBuffer) throws(TLSError) -> TLSProgress {
        if closedByPeer {
            return TLSProgress(consumed: ciphertext.byteCount, stop: .closedByPeer, becameEstablished: false)
        }
        // The caller's memory is lent for this call only; typed throws do not pass through its closure.
        let outcome: Result<TLSProgress, TLSError> = unsafe ciphertext.withUnsafeBytes { input in
            unsafe memory.pointee.input = input.baseAddress
            unsafe memory.pointee.inputCount = input.count
            defer {
                unsafe memory.pointee.input = nil
                unsafe memory.pointee.inputCount = 0
            }
            do throws(TLSError) { return .success(try process(offered: input.count, plaintext: &plaintext)) } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    private func process(offered: Int, plaintext: inout ByteBuffer) throws(TLSError) -> TLSProgress {
        var becameEstablished = false
        switch state {
        case .failed(let error): throw error
        case .established: break
        case .handshaking:
            becameEstablished = try advanceHandshake()
            guard becameEstablished else {
                return TLSProgress(
                    consumed: unsafe offered - memory.pointee.inputCount, stop: .inputUsedUp, becameEstablished: false)
            }
        }
        let stop = try open(into: &plaintext)
        let consumed = stop == .closedByPeer ? offered : unsafe offered - memory.pointee.inputCount
        return TLSProgress(consumed: consumed, stop: stop, becameEstablished: becameEstablished)
    }

    /// Encrypts from the front of `plaintext` into `ciphertext` and returns how many bytes were taken: full records as
    /// long as whole ones fit, then the rest of `plaintext` if that fits too. What is pending goes out first.
    ///
    /// Offer multiples of 16,384 bytes to have a record hold exactly what was framed for it. Returns 0 if not even
    /// the next record fits: drain `ciphertext` and call again. Throws `wrongState` before the handshake is over and
    /// after `close`.
    package func seal(_ plaintext: RawSpan, into ciphertext: inout ByteBuffer) throws(TLSError) -> Int {
        switch state {
        case .failed(let error): throw error
        case .handshaking: throw TLSError(.wrongState, "sending before the handshake is over")
        case .established: break
        }
        guard !isClosed else { throw TLSError(.wrongState, "sending after close_notify") }
        flushPending(into: &ciphertext)
        guard !hasPendingOutput else { return 0 }
        let count = Self.sealable(plaintext.byteCount, into: ciphertext)
        guard count > 0 else { return 0 }
        try countRecords(of: count)
        var written = 0
        var error: Int32?
        lend(&ciphertext) {
            unsafe plaintext.withUnsafeBytes { bytes in
                ERR_clear_error()
                let result = unsafe SSL_write_ex(ssl, bytes.baseAddress, count, &written)
                if result != 1 { error = unsafe SSL_get_error(ssl, result) }
            }
        }
        if let error { throw fail(error, "sealing") }
        return written
    }

    /// Says close_notify: nothing is sealed after it. Idempotent; nothing is said before the handshake is over.
    package func close(into ciphertext: inout ByteBuffer) {
        if case .established = state, !isClosed {
            isClosed = true
            ERR_clear_error()
            // 0 (the peer has not answered) and 1 are both done; after an error there is nobody to tell.
            _ = unsafe SSL_shutdown(ssl)
            ERR_clear_error()
        }
        flushPending(into: &ciphertext)
    }

    // MARK: Pending output

    /// Bytes wait for `flushPending`.
    package var hasPendingOutput: Bool { unsafe !memory.pointee.pending.isEmpty }

    /// Appends as much of the pending output as fits to `ciphertext`, for the socket.
    package func flushPending(into ciphertext: inout ByteBuffer) {
        guard hasPendingOutput else { return }
        let taken = ciphertext.append(unsafe memory.pointee.pending.span.bytes)
        if unsafe taken == memory.pointee.pending.count {
            // A fresh array gives the memory back: an idle connection holds none.
            unsafe memory.pointee.pending = []
        } else {
            unsafe memory.pointee.pending.removeFirst(taken)
        }
    }

    // MARK: Callbacks from OpenSSL, during one of the calls above

    func verifyPeer(chain: [Certificate]) -> PeerVerdict {
        guard !chain.isEmpty else { return .refused(.badCertificate) }
        peerChain = chain
        return verifier.verify(chain: chain)
    }

    func clientOfferedNoALPN() { clientLacksALPN = true }

    // MARK: Steps

    /// Whether the handshake is over now.
    private func advanceHandshake() throws(TLSError) -> Bool {
        ERR_clear_error()
        let result = unsafe SSL_do_handshake(ssl)
        guard result == 1 else {
            let error = unsafe SSL_get_error(ssl, result)
            if error == SSL_ERROR_WANT_READ { return false }
            throw fail(error, "handshake")
        }
        // A server that ignores ALPN leaves the client with none; the server side refused in its callbacks already.
        var chosen: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        unsafe SSL_get0_alpn_selected(ssl, &chosen, &length)
        let name = unsafe UnsafeBufferPointer(start: chosen, count: chosen == nil ? 0 : Int(length))
        guard unsafe name.elementsEqual("h2".utf8) else {
            throw poison(TLSError(.noALPN, "handshake: the peer does not negotiate h2"))
        }
        state = .established
        return true
    }

    /// Decrypts until the input or the space is used up.
    private func open(into plaintext: inout ByteBuffer) throws(TLSError) -> TLSProgress.Stop {
        var stop = TLSProgress.Stop.outputFull
        var failure: Int32?
        unsafe plaintext.withUnsafeWritable { space in
            var filled = 0
            while filled < space.count {
                ERR_clear_error()
                var count = 0
                let result = unsafe SSL_read_ex(
                    ssl, space.baseAddress.map { unsafe $0 + filled }, space.count - filled, &count)
                guard result != 1 else {
                    filled += count
                    continue
                }
                switch unsafe SSL_get_error(ssl, result) {
                case SSL_ERROR_WANT_READ: stop = .inputUsedUp
                case SSL_ERROR_ZERO_RETURN: stop = .closedByPeer
                case let error: failure = error
                }
                break
            }
            return filled
        }
        if let failure { throw fail(failure, "opening") }
        if stop == .closedByPeer { closedByPeer = true }
        // Full to the last byte, and nothing was left to decrypt either.
        if stop == .outputFull, unsafe memory.pointee.inputCount == 0, unsafe SSL_pending(ssl) == 0 {
            return .inputUsedUp
        }
        return stop
    }

    /// Lends `ciphertext`'s writable space to the BIO during `body`.
    private func lend(_ ciphertext: inout ByteBuffer, _ body: () -> Void) {
        unsafe ciphertext.withUnsafeWritable { space in
            unsafe memory.pointee.output = space.baseAddress
            unsafe memory.pointee.outputCount = space.count
            body()
            let left = unsafe memory.pointee.outputCount
            unsafe memory.pointee.output = nil
            unsafe memory.pointee.outputCount = 0
            return space.count - left
        }
    }

    /// How many of `count` bytes fit into `ciphertext` as records that are full, but for the last one.
    private static func sealable(_ count: Int, into ciphertext: borrowing ByteBuffer) -> Int {
        let space = ciphertext.writableCount
        let (records, rest) = space.quotientAndRemainder(dividingBy: maxRecordPlaintext + recordOverhead)
        let full = records * maxRecordPlaintext
        guard full < count else { return count }
        let tail = max(0, rest - recordOverhead)
        // A short record only if it ends the plaintext, or if a buffer of this size never holds a full one.
        return count - full <= tail || (full == 0 && ciphertext.isEmpty) ? min(count, full + tail) : full
    }

    private func countRecords(of count: Int) throws(TLSError) {
        recordsSealed += (count + Self.maxRecordPlaintext - 1) / Self.maxRecordPlaintext
        guard recordsSealed >= Self.recordsPerKey else { return }
        recordsSealed = 0
        ERR_clear_error()
        // The KeyUpdate message itself leaves with the next record; if it does not fit, it is pending.
        guard unsafe SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 else {
            throw fail(SSL_ERROR_SSL, "updating keys")
        }
    }

    private func fail(_ error: Int32, _ doing: String) -> TLSError {
        if clientLacksALPN { return poison(TLSError(.noALPN, "\(doing): the client offers no ALPN")) }
        if error == SSL_ERROR_SYSCALL, ERR_peek_error() == 0 {
            // Only the write BIO fails without a word, and only for this.
            return poison(TLSError(.outputOverflow, "\(doing): the peer asks for answers that it does not take"))
        }
        return poison(.fromQueue(otherwise: .protocolViolation, doing))
    }

    private func poison(_ error: TLSError) -> TLSError {
        ERR_clear_error()
        state = .failed(error)
        return error
    }
}
