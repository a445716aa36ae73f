internal import FoundationEssentials
internal import GRPCCore
internal import XDS

/// The life of one stream of a node: reads, writes, and ends with the first of these that ends, or with the certificate.
struct NodeStreamRun {
    /// How it ended.
    struct End: Sendable {
        /// For the log.
        var message: String
        /// What the node is told; nil if it ended the stream itself.
        var error: RPCError?
    }

    let stream: NodeStream
    let handler: any ControlPlaneHandler

    func run<Input: Sendable>(
        _ messages: RPCAsyncSequence<Input, any Error>, _ writer: RPCWriter<EncodedMessage>,
        _ message: @escaping @Sendable (Input) throws -> ChannelMessage
    ) async -> End {
        await withTaskGroup(of: End.self) { group in
            group.addTask { await read(messages, message) }
            group.addTask { await write(writer) }
            group.addTask { await closing() }
            group.addTask { await expiry() }
            let end = await group.next() ?? End(message: "it ended", error: nil)
            stream.close(end.message)
            group.cancelAll()
            return end
        }
    }

    private func read<Input: Sendable>(
        _ messages: RPCAsyncSequence<Input, any Error>, _ message: (Input) throws -> ChannelMessage
    ) async -> End {
        do {
            for try await input in messages {
                let message = try message(input)
                // The next one is read when the handler is done with this one.
                _ = await PendingAnswer<Void>.waiting { answer in
                    handler.received(message, on: stream, receipt: Receipt(answer))
                }
            }
            return End(message: "the node ended it", error: nil)
        } catch let error as RPCError {
            return End(message: "the node said what cannot be read: \(error.message)", error: error)
        } catch {
            return End(
                message: "the connection broke: \(error)", error: RPCError(code: .unavailable, message: "broken"))
        }
    }

    private func write(_ writer: RPCWriter<EncodedMessage>) async -> End {
        do {
            return ended(try await stream.queue.drain { try await writer.write($0) })
        } catch {
            return End(message: "the connection broke", error: RPCError(code: .unavailable, message: "broken"))
        }
    }

    /// Ends when we end the stream, also while a node that does not read holds up what is written to it.
    private func closing() async -> End {
        ended(await stream.queue.closed() ?? "it ended")
    }

    private func ended(_ cause: String) -> End {
        End(message: cause, error: RPCError(code: stream.isDisplaced ? .aborted : .unavailable, message: cause))
    }

    /// A stream does not outlive the certificate that opened it.
    private func expiry() async -> End {
        let reason = "the node's certificate has expired"
        let end = stream.chain.first?.lastSecond ?? 0
        let left = max(0, end - Int64(Date().timeIntervalSince1970) + 1)
        // Cancelled when the stream ends before that.
        try? await ContinuousClock().sleep(for: .seconds(left))
        return End(message: reason, error: RPCError(code: .unauthenticated, message: reason))
    }
}
