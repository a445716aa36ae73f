internal import Addressing
internal import Kernel

/// The client and the server of hack/bench.sh, the same for all that are compared, and the plain relay that does
/// nothing but copy.
@main
enum Load {
    static let usage = """
        usage: meshnode-load serve --at ADDRESS:PORT
               meshnode-load relay --at ADDRESS:PORT (--to ADDRESS:PORT | --original-destination-port PORT)
               meshnode-load bulk --to ADDRESS:PORT --streams N --bytes N --direction up|down
               meshnode-load request --to ADDRESS:PORT --connections N --milliseconds N
               meshnode-load connect --to ADDRESS:PORT --connections N --concurrency N
               meshnode-load idle --to ADDRESS:PORT --connections N

        serve and relay print `listening` and run until they are ended. The others print a line of JSON; idle then
        holds its connections until it is ended. Each is one thread.
        """

    static func main() {
        do {
            var options = try LoadOptions(CommandLine.arguments)
            let work = options.work
            try CurrentProcess.raiseDescriptorLimit(to: 20_000)
            let report = try run(work, &options)
            report?.print()
        } catch {
            StandardStream.error.write(
                Array("meshnode-load: \(error)\n\(error is LoadUsageError ? usage + "\n" : "")".utf8))
            CurrentProcess.exitNow(code: error is LoadUsageError ? 64 : 1)
        }
    }

    private static func run(_ work: String, _ options: inout LoadOptions) throws -> Report? {
        let memory = try LoadMemory()
        switch work {
        case "serve":
            let address = try options.address("--at")
            try options.end()
            try LoadServer(at: address, memory: memory).run()
        case "relay":
            let address = try options.address("--at")
            let target: PlainRelay.Target =
                if options.has("--to") {
                    .fixed(try options.address("--to"))
                } else {
                    .originalDestination(port: UInt16(clamping: try options.count("--original-destination-port")))
                }
            try options.end()
            try PlainRelay(at: address, to: target, memory: memory).run()
        case "bulk":
            let (address, streams) = (try options.address("--to"), try options.count("--streams"))
            let (bytes, direction) = (try options.count("--bytes"), try options.direction())
            try options.end()
            return try BulkLoad(memory: memory)
                .run(to: address, streams: streams, byteCount: bytes, direction: direction)
        case "request":
            let (address, connections) = (try options.address("--to"), try options.count("--connections"))
            let duration = Duration.milliseconds(try options.count("--milliseconds"))
            try options.end()
            return try RequestLoad(memory: memory).run(to: address, connections: connections, for: duration)
        case "connect":
            let (address, connections) = (try options.address("--to"), try options.count("--connections"))
            let concurrency = try options.count("--concurrency")
            try options.end()
            return try ConnectLoad(to: address, count: connections, concurrency: concurrency, memory: memory).run()
        case "idle":
            let (address, connections) = (try options.address("--to"), try options.count("--connections"))
            try options.end()
            try IdleLoad(to: address, count: connections, memory: memory).run()
        default:
            throw LoadUsageError(message: "there is no work '\(work)'")
        }
        return nil
    }
}
