internal import Kernel
internal import Mesh

/// Who asked that a pod be un-enrolled. The worker is not among them.
enum UnenrolmentCause: String {
    /// It said so, or a new one did not name the pod among all.
    case controller = "the controller"
    case runtime = "the container runtime"
    /// Nothing refers to its network namespace any more, or it lost the pod's address.
    case namespaceGone = "the end of its network namespace"
}

/// The only ways by which a pod ceases to be captured: slowly, and each with a line in the log.
extension NodeKeeper {
    func podUnwanted(_ uid: WorkloadUID) {
        guard wishes.unwanted(uid) else { return }
        unenrol(uid)
    }

    func podsComplete() {
        for uid in wishes.completed() { unenrol(uid) }
    }

    /// Takes the capture back when its turn comes: it opens the pod to plaintext, so it has a budget. Where nothing is
    /// captured, and where the rules stay, there is nothing to wait for.
    private func unenrol(_ uid: WorkloadUID) {
        guard let pod = pods[uid] else { return }
        guard pod.enrolment.isCaptured else { return withdraw(pod) }
        switch unenrolments.asked(uid, at: loop.now) {
        case .now: withdraw(pod)
        case .later(let position):
            log(
                .warning,
                "audit: un-enrolling pod \(pod.name), asked by \(UnenrolmentCause.controller.rawValue), waits: "
                    + "\(position) before it, ten a second")
        }
    }

    /// Every second: those whose turn has come.
    func continueUnenrolments() {
        for uid in unenrolments.due(at: loop.now) {
            // Wanted again in the meantime, it would have been taken off the list.
            guard let pod = pods[uid], wishes[uid] == nil else { continue }
            withdraw(pod)
        }
    }

    private func withdraw(_ pod: Pod) {
        let isCaptured = pod.enrolment.isCaptured
        switch pod.enrolment.wishWithdrawn(at: loop.now, drain: configuration.drainDeadline) {
        case .none: return
        case .forget: forget(pod)
        case .stopCapturing:
            if isCaptured { audit(pod, .controller) }
            do {
                try pod.captured?.stopCapturing()
            } catch {
                log(.error, "pod \(pod.name): \(error)")
            }
            worker?.sendToLoops(.podWithdrawn(pod.wish.uid))
            tell(pod)
        }
    }

    /// The one line that says who ended a pod's capture.
    func audit(_ pod: Pod, _ cause: UnenrolmentCause) {
        guard let captured = pod.captured else { return }
        counters.unenrolments &+= 1
        let connections = cause == .namespaceGone ? 0 : captured.openConnections()
        log(
            .warning,
            "audit: pod \(pod.name) is un-enrolled, asked by \(cause.rawValue); \(connections) captured connections left"
        )
    }
}
