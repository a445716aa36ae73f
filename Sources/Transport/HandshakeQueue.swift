/// How many TLS handshakes of accepted tunnels may be under way at once, in one loop: a worker with four loops has four
/// times as many. The kernel spreads connections over the loops, and an honest handshake takes milliseconds, so a share
/// per loop costs nobody anything and needs no lock.
package struct HandshakeLimits: Hashable, Sendable {
    /// For one pod.
    package var perPod = 128
    /// For all pods together.
    package var perLoop = 1024

    package init() {}
}

/// The handshakes that are under way, oldest first. Without I/O; confined to its loop.
struct HandshakeQueue {
    /// Names one handshake.
    struct Ticket: Hashable {
        fileprivate let number: UInt64
        fileprivate let enrolment: UInt64
    }

    private let limits: HandshakeLimits
    private var running: [UInt64: ObjectIdentifier] = [:]
    private var countOfPod: [UInt64: Int] = [:]
    /// Those that ended are left in until there are as many of them as of the others.
    private var order: [Ticket] = []
    private var lastNumber: UInt64 = 0

    init(_ limits: HandshakeLimits) { self.limits = limits }

    var count: Int { running.count }

    /// One begins, for the pod of `enrolment`.
    mutating func began(_ link: ObjectIdentifier, enrolment: UInt64) -> Ticket {
        lastNumber += 1
        let ticket = Ticket(number: lastNumber, enrolment: enrolment)
        running[ticket.number] = link
        countOfPod[enrolment, default: 0] += 1
        order.append(ticket)
        return ticket
    }

    /// One ended, whichever way; more than once does nothing.
    mutating func ended(_ ticket: Ticket) {
        guard running.removeValue(forKey: ticket.number) != nil else { return }
        let left = (countOfPod[ticket.enrolment] ?? 1) - 1
        countOfPod[ticket.enrolment] = left > 0 ? left : nil
        if order.count > 2 * running.count + 64 { order.removeAll { running[$0.number] == nil } }
    }

    /// The one to give up before another for that pod may begin; nil if there is room.
    func tooMany(for enrolment: UInt64) -> ObjectIdentifier? {
        if (countOfPod[enrolment] ?? 0) >= limits.perPod { return oldest { $0.enrolment == enrolment } }
        return running.count >= limits.perLoop ? oldest { _ in true } : nil
    }

    private func oldest(where isMeant: (Ticket) -> Bool) -> ObjectIdentifier? {
        order.lazy.filter(isMeant).compactMap { running[$0.number] }.first
    }
}
