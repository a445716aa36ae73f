import Keeper

/// What agents say to each other when one succeeds the other: each message by itself, and a course of them.
///
/// An input is a row of messages: two bytes length and the number of descriptors, then the message without a header that
/// fits, which it is given.
enum HandoverMessagesHarness {
    /// What is wrong with what was made of `input`; nil: nothing.
    static func fault(in input: [UInt8]) -> String? {
        var rest = input[...]
        var giver = HandoverGiver()
        var taker = HandoverTaker(exemption: .cgroup)
        var wasCompleted = false
        let now = ContinuousClock.now
        while let high = rest.popFirst(), let low = rest.popFirst(), let count = rest.popFirst() {
            let length = min(rest.count, Int(high & 0x1f) << 8 | Int(low))
            var bytes = Array(rest.prefix(length))
            rest = rest.dropFirst(length)
            fitHeader(&bytes)
            if let fault = fault(SuccessorToAgent.self, bytes, Int(count))
                ?? fault(AgentToSuccessor.self, bytes, Int(count))
            {
                return fault
            }
            if let message = try? SuccessorToAgent(decoding: bytes, descriptorCount: Int(count)) {
                give(message, &giver, now)
            }
            if let message = try? AgentToSuccessor(decoding: bytes, descriptorCount: Int(count)) {
                if case .adopt = take(message, &taker) { wasCompleted = true }
            }
            if taker.isInCharge { return "in charge though its worker never said that it serves" }
        }
        let ready = taker.workerReady()
        if (ready == .sayServing) != wasCompleted, ready == .sayServing { return "serving what was not told" }
        if taker.connectionEnded() == .takeCharge, !wasCompleted { return "in charge of what was not told" }
        return nil
    }

    private static func give(
        _ message: SuccessorToAgent, _ giver: inout HandoverGiver, _ now: ContinuousClock.Instant
    ) {
        switch message {
        case .hello(let layout, _):
            _ = giver.helloReceived(layout: layout, isAllowed: true, isSettled: true, at: now)
        case .claim: _ = giver.claimReceived(at: now)
        case .serving: _ = giver.servingReceived()
        }
    }

    private static func take(_ message: AgentToSuccessor, _ taker: inout HandoverTaker) -> HandoverTaker.Action {
        switch message {
        case .welcome(let layout, _, let exemption, let level):
            taker.welcomed(layout: layout, exemption: exemption, level: level)
        case .refused(let layout, _, let reason): taker.refused(layout: layout, reason)
        case .agent: taker.agentArrived()
        case .earlier(let uid, let connections): taker.earlierArrived(of: uid, count: connections.count)
        case .pod(let pod): taker.podArrived(pod)
        case .complete(let count): taker.completed(podCount: count)
        case .yielded: taker.yielded()
        case .aborted: taker.aborted()
        }
    }

    private static func fault<M: KeeperMessage>(_ type: M.Type, _ bytes: [UInt8], _ count: Int) -> String? {
        guard let message = try? M(decoding: bytes, descriptorCount: count) else { return nil }
        guard let again = try? message.encoded() else { return "\(message) cannot be written" }
        return again == bytes ? nil : "\(message) is written otherwise: \(again), not \(bytes)"
    }

    private static func fitHeader(_ bytes: inout [UInt8]) {
        guard bytes.count >= 4 else { return }
        bytes[0] = 1
        bytes[2] = UInt8(truncatingIfNeeded: bytes.count >> 8)
        bytes[3] = UInt8(truncatingIfNeeded: bytes.count)
    }
}
