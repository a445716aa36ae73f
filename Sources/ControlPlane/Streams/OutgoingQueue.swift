internal import Synchronization
internal import XDS

/// How much may wait for one stream before its peer counts as one that does not read.
package struct StreamLimits: Hashable, Sendable {
    /// Messages that may wait.
    package var messages: Int
    /// Bytes that may wait.
    package var bytes: Int

    /// By default room for one message of the longest kind and as much again.
    package init(messages: Int = 1024, bytes: Int = 2 * FrameCodec.maximumLength) {
        self.messages = messages
        self.bytes = bytes
    }
}

/// What waits to be written to one stream. Bounded: what says the same anew takes the place of the old, and a peer that
/// does not read loses its stream.
final class OutgoingQueue: Sendable {
    /// Messages of which only the last counts.
    fileprivate enum Topic: Hashable {
        case controllerReport
        case podWishes
        case nodeReport
    }

    fileprivate struct Entry {
        var topic: Topic?
        var message: EncodedMessage
    }

    fileprivate struct State {
        var entries: [Entry] = []
        var byteCount = 0
        var closeCause: String?
    }

    private let state = Mutex(State())
    private let wakeUps: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation
    private let ends: AsyncStream<Void>
    private let end: AsyncStream<Void>.Continuation
    private let limits: StreamLimits

    init(_ limits: StreamLimits) {
        self.limits = limits
        (wakeUps, wakeUp) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (ends, end) = AsyncStream.makeStream()
    }

    /// Adds a message behind the others, unless the queue is closed.
    func append(_ message: EncodedMessage, for content: ChannelMessage) {
        let topic = Topic(content)
        let isClosed = state.withLock { state in
            guard state.closeCause == nil else { return true }
            if let topic, let index = state.entries.firstIndex(where: { $0.topic == topic }) {
                state.byteCount -= state.entries.remove(at: index).message.bytes.count
            }
            state.entries.append(Entry(topic: topic, message: message))
            state.byteCount += message.bytes.count
            if state.entries.count > limits.messages || state.byteCount > limits.bytes {
                state.close("it does not read what it is sent: \(state.byteCount) bytes wait")
            }
            return state.closeCause != nil
        }
        wakeUp.yield()
        if isClosed { end.finish() }
    }

    /// Nothing is written from now on, not even what waits.
    func close(_ cause: String) {
        state.withLock { $0.close(cause) }
        wakeUp.yield()
        end.finish()
    }

    /// Why it was closed; nil if it was not.
    var closeCause: String? { state.withLock { $0.closeCause } }

    /// Waits for the end; a write that is under way then may never be done, if nobody reads. For one caller.
    /// - Returns: why it was closed; nil if the wait was cancelled.
    func closed() async -> String? {
        for await _ in ends {}
        return closeCause
    }

    /// Hands out messages in order until the queue is closed or `write` fails.
    /// - Returns: why the queue was closed.
    func drain(_ write: (EncodedMessage) async throws -> Void) async throws -> String {
        for await _ in wakeUps {
            while let message = pop() { try await write(message) }
            if let closeCause { return closeCause }
        }
        return closeCause ?? "the server ends"
    }

    private func pop() -> EncodedMessage? {
        state.withLock { state in
            guard !state.entries.isEmpty else { return nil }
            let entry = state.entries.removeFirst()
            state.byteCount -= entry.message.bytes.count
            return entry.message
        }
    }
}

extension OutgoingQueue.State {
    fileprivate mutating func close(_ cause: String) {
        guard closeCause == nil else { return }
        closeCause = cause
        entries = []
        byteCount = 0
    }
}

extension OutgoingQueue.Topic {
    fileprivate init?(_ message: ChannelMessage) {
        switch message {
        case .controllerReport: self = .controllerReport
        case .podWishes: self = .podWishes
        case .nodeReport: self = .nodeReport
        case .discoveryRequest, .discoveryResponse, .certificateRequest, .certificateResponse, .meshReportRequest,
            .meshReport, .podQuestion, .podVerdict:
            return nil
        }
    }
}
