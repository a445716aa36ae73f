internal import Controller
internal import XDS

/// The agents of other nodes that have a session, and what each of them was told. Confined to the controller's loop.
final class RemoteNodes {
    /// A session of a node; one that comes back has another.
    typealias SessionID = UInt64

    private struct Session {
        let node: String
        let send: (ChannelMessage) -> Void
        /// The pods that it was told of; nil: of none yet.
        var told: [PodEnrolment]?
    }

    private var sessions: [SessionID: Session] = [:]
    private var lastSession: SessionID = 0
    private var report = ControllerReport()
    private let log: ProcessLog

    init(log: ProcessLog) {
        self.log = log
    }

    /// A node that has proved which it is opened a session.
    /// - Parameters:
    ///   - pods: those of the node that are to be captured; nil while that is not known.
    ///   - send: called for each message to it.
    func opened(_ node: String, pods: [PodEnrolment]?, send: @escaping (ChannelMessage) -> Void) -> SessionID {
        lastSession += 1
        sessions[lastSession] = Session(node: node, send: send)
        log.write(.info, "node \(node) is connected")
        send(.controllerReport(report))
        if let pods { tell(lastSession, pods) }
        return lastSession
    }

    func closed(_ id: SessionID, cause: String) {
        guard let session = sessions.removeValue(forKey: id) else { return }
        log.write(.info, "node \(session.node) is no longer connected: \(cause)")
    }

    /// Tells each node its pods, by node, where they changed.
    func enrol(_ pods: [String: [PodEnrolment]]) {
        for (id, session) in sessions { tell(id, pods[session.node] ?? []) }
    }

    func tell(_ report: ControllerReport) {
        self.report = report
        for session in sessions.values { session.send(.controllerReport(report)) }
    }

    func answer(_ message: ChannelMessage, to id: SessionID) {
        sessions[id]?.send(message)
    }

    private func tell(_ id: SessionID, _ pods: [PodEnrolment]) {
        guard let session = sessions[id], session.told != pods else { return }
        sessions[id]?.told = pods
        session.send(.podWishes(NodeWishes(pods: pods.map(EnrolledPod.init))))
    }
}
