import Keeper

/// The messages of all directions between the keeper and its children.
///
/// An input is the number of descriptors that come with the message (modulo 140), then the message; the highest bit of
/// that first byte asks for a header that fits the rest, so that the fields are reached.
enum KeeperMessagesHarness {
    /// What is wrong with what the decoders made of `input`; nil: nothing.
    static func fault(in input: [UInt8]) -> String? {
        guard let first = input.first else { return nil }
        var bytes = Array(input.dropFirst())
        if first & 0x80 != 0 { fitHeader(&bytes) }
        let count = Int(first) % 140
        return fault(KeeperToLoop.self, bytes, count) ?? fault(LoopToKeeper.self, bytes, count)
            ?? fault(KeeperToWorker.self, bytes, count) ?? fault(WorkerToKeeper.self, bytes, count)
            ?? fault(ControllerToKeeper.self, bytes, count) ?? fault(KeeperToController.self, bytes, count)
    }

    /// What is taken is written the same way, and fits with its descriptors.
    static func fault<M: KeeperMessage>(_ type: M.Type, _ bytes: [UInt8], _ count: Int) -> String? {
        guard let message = try? M(decoding: bytes, descriptorCount: count) else { return nil }
        guard message.descriptorCount == count else { return "\(message) came with \(count) descriptors" }
        guard let again = try? message.encoded() else { return "\(message) cannot be written" }
        return again == bytes ? nil : "\(message) is written otherwise: \(again), not \(bytes)"
    }

    static func fitHeader(_ bytes: inout [UInt8]) {
        guard bytes.count >= 4 else { return }
        bytes[0] = 1
        bytes[2] = UInt8(truncatingIfNeeded: bytes.count >> 8)
        bytes[3] = UInt8(truncatingIfNeeded: bytes.count)
    }
}
