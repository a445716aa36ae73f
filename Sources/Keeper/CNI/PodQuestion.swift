internal import CNI

/// A call of the plugin that the keeper works on.
final class PluginCall {
    let request: PluginRequest
    let connection: PluginConnection

    init(_ request: PluginRequest, on connection: PluginConnection) {
        self.request = request
        self.connection = connection
    }

    /// For the log.
    var subject: String {
        let command = "CNI \(request.command.rawValue)"
        guard let attachment = request.attachment else { return command }
        guard let pod = request.pod else { return "\(command) of container \(attachment)" }
        return "\(command) of pod \(pod) (\(attachment))"
    }
}

/// A call that waits for what the controller says of its pod.
final class PodQuestion {
    let id: UInt64
    let call: PluginCall
    let pod: PodReference
    let deadline: ContinuousClock.Instant
    /// Who was asked last and has not answered; nil: ask.
    weak var asked: Controller?
    /// Why there is no verdict yet.
    var reason = "no controller runs"

    init(id: UInt64, call: PluginCall, pod: PodReference, deadline: ContinuousClock.Instant) {
        self.id = id
        self.call = call
        self.pod = pod
        self.deadline = deadline
    }
}
