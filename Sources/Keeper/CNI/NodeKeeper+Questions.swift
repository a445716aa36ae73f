internal import CNI
internal import Kernel

/// Asking the controller about pods that start.
extension NodeKeeper {
    /// How long a verdict may take. The plugin waits twice that.
    private static let patience = Duration.seconds(5)
    /// How soon a controller is asked again that did not know, or did not run.
    private static let pause = Duration.milliseconds(250)

    /// The call goes on in `judged`, or is refused when the time is up.
    func ask(about pod: PodReference, for call: PluginCall) {
        let question = PodQuestion(
            id: plugin.makeQuestionID(), call: call, pod: pod, deadline: loop.now + Self.patience)
        plugin.questions[question.id] = question
        pursue(question)
    }

    private func pursue(_ question: PodQuestion) {
        guard plugin.questions[question.id] === question else { return }
        // A plugin that was killed wants no answer, and its pod no capture.
        guard question.call.connection.isWaiting else { return plugin.questions[question.id] = nil }
        guard loop.now < question.deadline else {
            plugin.questions[question.id] = nil
            return refuse(
                question.call,
                PluginError(
                    .tryAgainLater,
                    "pod \(question.pod) cannot start now: whether it is enrolled is not known (\(question.reason))",
                    details: "see whether the controller runs and has the pod: meshnode status"))
        }
        askOnce(question)
        loop.schedule(after: Self.pause, TimerCall { [weak self] in self?.pursue(question) })
    }

    private func askOnce(_ question: PodQuestion) {
        guard controller == nil || question.asked !== controller else { return }
        let pod = question.pod
        let isAsked = askController(
            .podQuestion(id: question.id, namespace: pod.namespace, name: pod.name, uid: pod.uid))
        question.asked = controller
        question.reason = isAsked ? "the controller does not answer" : "no controller runs"
    }

    /// The controller has answered.
    func podJudged(_ verdict: PodVerdict) {
        // An answer that comes too late, or twice, is about nothing any more.
        guard let question = plugin.questions[verdict.id] else { return }
        if case .unknown(let reason) = verdict.outcome {
            question.reason = reason
            question.asked = nil
            return
        }
        plugin.questions[verdict.id] = nil
        guard question.call.connection.isWaiting else { return }
        judged(question.call, question.pod, verdict.outcome)
    }

    private func judged(_ call: PluginCall, _ pod: PodReference, _ outcome: PodVerdict.Outcome) {
        switch (outcome, call.request.command) {
        case (.capture(let wish), .add): capture(pod, as: wish, for: call)
        case (.leave(let reason), .add): leave(pod, reason, for: call)
        case (.capture, _):
            refuse(call, PluginError(.checkFailed, "pod \(pod) is enrolled, and is not captured"))
        case (.leave(let reason), _): complete(call, "not enrolled: \(reason)")
        case (.unknown, _): break
        }
    }
}
