internal import Kernel

/// The worker that runs, and the channels to it.
final class Worker {
    let child: RunningChild
    let control: MessageChannel
    let loops: [MessageChannel]
    let startedAt: ContinuousClock.Instant
    var isReady = false

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
