internal import Kernel
internal import Mesh
internal import Transport
internal import XDS

/// The worker's view of the mesh: what the controller told, kept when the controller is gone, brought up to date when it
/// is back.
///
///     no channel ──stream came──> subscribed ──channel ends──> no channel (the state stays in force)
final class MeshSubscription {
    /// Told what the subscription brings; on the control loop.
    protocol Delegate: AnyObject {
        /// The state changed, or is complete for the first time.
        func snapshotChanged(_ snapshot: MeshSnapshot)
        func certificateArrived(_ response: CertificateResponse)
        /// Requests under way are lost; ask the keeper for another stream.
        func controllerLost(_ cause: String)
        /// Resources that could not be understood; the state before them stays in force.
        func resourcesRejected(_ errors: [XDSError])
    }

    private let resources: LoopResources
    private var client: DeltaClient
    private var channel: ChannelConnection?
    private(set) var snapshot = MeshSnapshot()
    private(set) var report: ControllerReport?
    private(set) var changedAt: ContinuousClock.Instant?
    unowned let delegate: any Delegate

    init(nodeID: String, resources: LoopResources, delegate: any Delegate) {
        client = DeltaClient(nodeID: nodeID)
        self.resources = resources
        self.delegate = delegate
    }

    var isConnected: Bool { channel != nil }

    /// The first full set of every type has come.
    var isComplete: Bool { client.isComplete }

    /// A stream to the controller.
    func connected(_ stream: consuming Descriptor) {
        channel?.close()
        let channel = ChannelConnection(stream, resources: resources)
        self.channel = channel
        do {
            try channel.start { [unowned self] in
                received($0)
            } onEnd: { [unowned self] in
                lost($0)
            }
        } catch {
            return lost("\(error)")
        }
        for request in client.connected() { channel.send(.discoveryRequest(request)) }
    }

    /// Asks for a certificate; false if there is nobody to ask.
    func send(_ request: CertificateRequest) -> Bool {
        guard let channel else { return false }
        channel.send(.certificateRequest(request))
        return true
    }

    private func received(_ message: ChannelMessage) {
        switch message {
        case .discoveryResponse(let response): apply(response)
        case .certificateResponse(let response): delegate.certificateArrived(response)
        case .controllerReport(let report): self.report = report
        case .discoveryRequest, .certificateRequest: lost("the controller sent a message that only workers send")
        }
    }

    private func apply(_ response: DeltaResponse) {
        let wasComplete = isComplete
        let update = client.received(response)
        channel?.send(.discoveryRequest(update.reply))
        if !update.rejections.isEmpty { delegate.resourcesRejected(update.rejections) }
        guard !update.changes.isEmpty || isComplete != wasComplete else { return }
        snapshot.apply(contentsOf: update.changes)
        snapshot.version &+= 1
        changedAt = resources.loop.now
        if isComplete { delegate.snapshotChanged(snapshot) }
    }

    private func lost(_ cause: String) {
        channel?.close()
        channel = nil
        delegate.controllerLost(cause)
    }
}
