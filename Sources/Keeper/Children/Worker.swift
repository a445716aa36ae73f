internal import Kernel

/// The worker that runs, and the channels to it.
final class Worker {
    let child: RunningChild
    let control: MessageChannel
    let loops: [MessageChannel]
    let startedAt: ContinuousClock.Instant
    var isReady = false
    /// What it did wrong, as far as the keeper ends it for that.
    var fault = ""
    /// It is said once only.
    var hasRefusedState = false
    private var hasBeaten = false
    private var silentSeconds = 0

    /// Until its first sign of life a worker reads what it was left, which takes its time.
    private static let firstLimit = 60

    init(
        child: RunningChild, control: MessageChannel, loops: [MessageChannel], startedAt: ContinuousClock.Instant
    ) {
        self.child = child
        self.control = control
        self.loops = loops
        self.startedAt = startedAt
    }

    func sendToLoops(_ message: KeeperToLoop, _ descriptors: DescriptorList? = nil) {
        for channel in loops { channel.send(message, descriptors) }
    }

    /// It lives.
    func heartbeat() {
        hasBeaten = true
        silentSeconds = 0
    }

    /// - Parameter limit: seconds without a sign of life.
    /// - Returns: whether it has been silent for too long; true only once.
    func secondPassed(limit: Int) -> Bool {
        silentSeconds += 1
        let seconds = hasBeaten ? limit : max(limit, Self.firstLimit)
        guard silentSeconds >= seconds, fault.isEmpty else { return false }
        fault = "it gave no sign of life for \(seconds) s"
        return true
    }

    /// Nothing is read from it any more.
    func close() {
        control.close()
        for channel in loops { channel.close() }
    }
}

/// The controller that runs, and the channel from it.
final class Controller {
    let child: RunningChild
    let channel: MessageChannel

    init(child: RunningChild, channel: MessageChannel) {
        self.child = child
        self.channel = channel
    }
}
