/// What the session remembers of a stream.
struct StreamSlot {
    struct Flags: OptionSet {
        let rawValue: UInt16
        /// The response was submitted (server) or the final one came (client).
        static let answered = Flags(rawValue: 1)
        /// Our END_STREAM is asked for.
        static let finishing = Flags(rawValue: 2)
        /// Our END_STREAM was sent.
        static let localFinished = Flags(rawValue: 4)
        /// The peer's END_STREAM came.
        static let remoteFinished = Flags(rawValue: 8)
        /// The caller has done with it: no more events.
        static let ignored = Flags(rawValue: 16)
        /// The caller saw no send window and waits for it.
        static let blocked = Flags(rawValue: 32)
        /// RST_STREAM(NO_ERROR) follows the response.
        static let resetAfterResponse = Flags(rawValue: 64)
        /// The library has closed it; the slot is kept for the event.
        static let closed = Flags(rawValue: 128)
        /// Its DATA may be sent: the response or request has gone out.
        static let headersSent = Flags(rawValue: 256)
    }

    // In few bytes, as a session keeps slots for hundreds of streams.

    /// The stream's number; 0 if the slot is free.
    var number: Int32 = 0
    private var storedToken: Int32 = -1
    /// Where its header fields lie in the block of the last input.
    var firstField: Int32 = 0
    var fieldCount: Int32 = 0
    var flags: Flags = []
    private var storedStatus: UInt16 = 0

    var token: Int {
        get { Int(storedToken) }
        set { storedToken = Int32(clamping: newValue) }
    }

    /// Status of the response that is being received.
    var status: Int {
        get { Int(storedStatus) }
        set { storedStatus = UInt16(clamping: newValue) }
    }
}

/// The streams of one session in slots that are used again.
final class StreamTable {
    private(set) var slots: ContiguousArray<StreamSlot> = []
    private var free: ContiguousArray<Int32> = []
    /// Streams that the library has not closed.
    var openCount = 0
    var blockedCount = 0

    func add(number: Int32, token: Int) -> StreamID {
        var slot = StreamSlot()
        slot.number = number
        slot.token = token
        openCount += 1
        if let index = free.popLast() {
            slots[Int(index)] = slot
            return StreamID(number: number, slot: index)
        }
        slots.append(slot)
        return StreamID(number: number, slot: Int32(truncatingIfNeeded: slots.count - 1))
    }

    /// The slot's index if the stream is still the one in it.
    func index(of stream: StreamID) -> Int? {
        let index = Int(stream.slot)
        return stream.number > 0 && holds(stream.number, at: index) ? index : nil
    }

    func holds(_ number: Int32, at index: Int) -> Bool {
        slots.indices.contains(index) && slots[index].number == number
    }

    func stream(at index: Int) -> StreamID {
        StreamID(number: slots[index].number, slot: Int32(truncatingIfNeeded: index))
    }

    subscript(index: Int) -> StreamSlot {
        get { slots[index] }
        _modify { yield &slots[index] }
    }

    func setBlocked(_ isBlocked: Bool, at index: Int) {
        guard slots[index].flags.contains(.blocked) != isBlocked else { return }
        if isBlocked {
            slots[index].flags.insert(.blocked)
            blockedCount += 1
        } else {
            slots[index].flags.remove(.blocked)
            blockedCount -= 1
        }
    }

    func release(_ index: Int) {
        setBlocked(false, at: index)
        slots[index] = StreamSlot()
        free.append(Int32(truncatingIfNeeded: index))
    }
}
