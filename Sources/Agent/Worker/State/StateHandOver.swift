internal import Kernel

/// Leaves the worker's state with the keeper, so that the next worker can go on with it: after changes, and no more
/// often than makes sense.
final class StateHandOver {
    private let make: () throws(AgentError) -> WorkerState?
    private let send: (DescriptorList) -> Void
    private let complain: (String) -> Void
    private var isDirty = false
    private var notBefore: ContinuousClock.Instant?
    private var lastComplaint: String?

    /// Least time between two.
    static let interval = Duration.seconds(1)
    /// At most a twentieth of the control thread's time goes into it, however large the mesh is.
    private static let costFactor = 19

    /// - Parameters:
    ///   - make: what is to be left; nil while there is nothing worth it.
    ///   - send: takes one descriptor, of sealed memory.
    ///   - complain: told what goes wrong, once per cause.
    init(
        make: @escaping () throws(AgentError) -> WorkerState?, send: @escaping (DescriptorList) -> Void,
        complain: @escaping (String) -> Void
    ) {
        self.make = make
        self.send = send
        self.complain = complain
    }

    /// Something in the state is other than when it was left last.
    func changed() { isDirty = true }

    /// Time passed; a few times a second.
    func tick(at now: ContinuousClock.Instant) {
        guard isDirty, notBefore.map({ now >= $0 }) ?? true else { return }
        isDirty = false
        let start = ContinuousClock.now
        do {
            guard let state = try make() else { return }
            send(DescriptorList(owning: [try SealedMemory.make("meshnode-worker", try state.encoded()).release()]))
            lastComplaint = nil
        } catch {
            // Tried again after the next change; meanwhile the keeper has an older one.
            let text = "the next worker cannot be left this one's state: \(error)"
            if text != lastComplaint { complain(text) }
            lastComplaint = text
        }
        notBefore = now + max(Self.interval, start.duration(to: .now) * Self.costFactor)
    }

    /// Reads what a predecessor left.
    ///
    /// - Parameter memory: `/dev/null` if there was none; closed at the end.
    /// - Returns: nil if nothing was left.
    /// - Throws: why it cannot be used.
    static func receive(_ memory: consuming Descriptor, node: String) throws -> WorkerState? {
        guard SealedMemory.isSealed(memory) else { return nil }
        let state = try WorkerState(decoding: SealedMemory.read(memory, limit: WorkerState.maximumLength))
        guard state.node == node else { throw AgentError.unusable("it is of the node '\(state.node)'") }
        return state
    }
}
