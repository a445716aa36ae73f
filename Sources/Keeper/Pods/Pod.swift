internal import Addressing

/// One pod that is wanted, or is being let go.
final class Pod {
    var wish: PodWish
    var enrolment: PodEnrolment
    /// What is open in its namespace, while it is captured or withdrawn.
    var captured: CapturedPod?
    /// Why the rules could not be set right, or a changed wish not be followed, though it is captured.
    var trouble: String?
    /// What was last told of it.
    var lastReport: PodReport?
    /// The runtime's name for its sandbox, if the runtime told of it.
    var containerID: String?

    init(_ wish: PodWish, wantedAt now: ContinuousClock.Instant) {
        self.wish = wish
        enrolment = PodEnrolment(wantedAt: now)
    }

    var report: PodReport {
        let (state, detail) = enrolment.report
        return PodReport(
            uid: wish.uid, state: state, detail: trouble ?? detail,
            uncapturedConnections: captured?.uncapturedConnections ?? 0, repairs: captured?.repairCount ?? 0,
            earlierConnections: Array((captured?.earlierConnections ?? []).prefix(MessageLimits.reportedConnections)))
    }

    var name: String { "\(wish.namespace)/\(wish.name)" }

    var addressText: String { wish.addresses.map(\.description).joined(separator: ", ") }
}
