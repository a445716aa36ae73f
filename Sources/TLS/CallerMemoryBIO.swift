internal import COpenSSL

/// The memory that OpenSSL reads from and writes to during one call: the caller's, so that ciphertext is not copied
/// into a BIO of its own.
///
/// `input` and `output` are set only while a method of `TLSConnection` holds the caller's memory; outside there is
/// nothing to read, and what is written is kept in `pending` until the caller takes it.
@unsafe struct CallerMemory {
    var input: UnsafeRawPointer?
    var inputCount = 0
    var output: UnsafeMutableRawPointer?
    var outputCount = 0
    /// Written while there was no `output` or it was full, in order: once something is here, all that follows is too.
    var pending: [UInt8] = []

    /// The largest answer that OpenSSL may owe at once: a handshake flight with a chain of 64 KiB, doubled. Beyond it
    /// the peer asks for answers (key updates) without taking them.
    static let pendingLimit = 128 * 1024
}

/// The BIO type whose read and write work on the `CallerMemory` at its data pointer.
enum CallerMemoryBIO {
    /// Made once and kept for the life of the process. BIO methods are immutable after this and may be shared.
    // Nothing writes it after the static's one initialization, so threads may share the pointer.
    nonisolated(unsafe) private static let method: OpaquePointer? = {
        guard let method = unsafe BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "caller memory") else {
            return nil
        }
        unsafe BIO_meth_set_read(method, readFromCaller)
        unsafe BIO_meth_set_write(method, writeToCaller)
        unsafe BIO_meth_set_ctrl(method, control)
        return unsafe method
    }()

    /// A BIO over `memory`, which must outlive it. The reference is the caller's.
    static func make(over memory: UnsafeMutablePointer<CallerMemory>) -> OpaquePointer? {
        guard let method = unsafe method, let bio = unsafe BIO_new(method) else { return nil }
        unsafe BIO_set_data(bio, memory)
        unsafe BIO_set_init(bio, 1)
        return unsafe bio
    }

    /// What BIO_clear_retry_flags, a macro, clears.
    private static let retryFlags = BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_IO_SPECIAL | BIO_FLAGS_SHOULD_RETRY

    private static func memory(of bio: OpaquePointer?) -> UnsafeMutablePointer<CallerMemory>? {
        unsafe BIO_get_data(bio)?.assumingMemoryBound(to: CallerMemory.self)
    }

    private static let readFromCaller: @convention(c) (OpaquePointer?, UnsafeMutablePointer<CChar>?, Int32) -> Int32 = {
        bio, place, capacity in
        unsafe BIO_clear_flags(bio, CallerMemoryBIO.retryFlags)
        guard let memory = unsafe CallerMemoryBIO.memory(of: bio), let place = unsafe place else { return -1 }
        guard let input = unsafe memory.pointee.input, unsafe memory.pointee.inputCount > 0, capacity > 0 else {
            unsafe BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
            return -1
        }
        let count = unsafe min(Int(capacity), memory.pointee.inputCount)
        unsafe UnsafeMutableRawPointer(place).copyMemory(from: input, byteCount: count)
        unsafe memory.pointee.input = unsafe input + count
        unsafe memory.pointee.inputCount -= count
        return Int32(truncatingIfNeeded: count)  // at most `capacity`, so it fits
    }

    private static let writeToCaller: @convention(c) (OpaquePointer?, UnsafePointer<CChar>?, Int32) -> Int32 = {
        bio, bytes, count in
        unsafe BIO_clear_flags(bio, CallerMemoryBIO.retryFlags)
        guard let memory = unsafe CallerMemoryBIO.memory(of: bio), let bytes = unsafe bytes, count > 0 else {
            return -1
        }
        let source = unsafe UnsafeRawBufferPointer(start: bytes, count: Int(count))
        var taken = 0
        if let output = unsafe memory.pointee.output, unsafe memory.pointee.pending.isEmpty {
            taken = unsafe min(source.count, memory.pointee.outputCount)
            if let start = source.baseAddress, taken > 0 { unsafe output.copyMemory(from: start, byteCount: taken) }
            unsafe memory.pointee.output = unsafe output + taken
            unsafe memory.pointee.outputCount -= taken
        }
        let rest = unsafe source[taken...]
        guard unsafe memory.pointee.pending.count + rest.count <= CallerMemory.pendingLimit else { return -1 }
        if unsafe !rest.isEmpty { unsafe memory.pointee.pending.append(contentsOf: rest) }
        return count
    }

    private static let control: @convention(c) (OpaquePointer?, Int32, Int, UnsafeMutableRawPointer?) -> Int = {
        _, command, _, _ in
        // Written is written: there is nothing to flush. All other commands are answered with "no" (bio_ctrl(3)).
        command == BIO_CTRL_FLUSH ? 1 : 0
    }
}
