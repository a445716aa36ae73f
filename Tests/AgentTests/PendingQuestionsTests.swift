import Testing
import XDS

@testable import Agent

@Suite struct `Questions to the mesh's controller` {
    private let question = PodQuestion(id: 7, namespace: "shop", name: "web", uid: "")

    @Test func `have numbers of their own, so that two who count alike are not confused`() {
        var questions = PendingQuestions()
        var answers: [String] = []
        let first = questions.asked(question) { answers.append("first \($0.id)") }
        let second = questions.asked(question) { answers.append("second \($0.id)") }
        let report = questions.asked(meshReport: 7) { answers.append("report \($0.id)") }
        #expect(Set([first.id, second.id, report]).count == 3)
        #expect(first.name == "web" && first.namespace == "shop")
        questions.answered(MeshReport(id: report))
        questions.answered(PodVerdict(id: second.id, outcome: .leave(reason: "")))
        questions.answered(PodVerdict(id: first.id, outcome: .leave(reason: "")))
        #expect(answers == ["report 7", "second 7", "first 7"])
    }

    @Test func `are answered once, and not by what nobody asked`() {
        var questions = PendingQuestions()
        var verdicts: [PodVerdict] = []
        let asked = questions.asked(question) { verdicts.append($0) }
        questions.answered(PodVerdict(id: asked.id + 1, outcome: .leave(reason: "another")))
        // A report does not answer a question about a pod, be its number the same.
        questions.answered(MeshReport(id: asked.id))
        #expect(verdicts.isEmpty)
        questions.answered(PodVerdict(id: asked.id, outcome: .leave(reason: "it")))
        questions.answered(PodVerdict(id: asked.id, outcome: .leave(reason: "it again")))
        questions.controllerLost("gone")
        #expect(verdicts == [PodVerdict(id: 7, outcome: .leave(reason: "it"))])
    }

    @Test func `are answered with nothing when the controller is lost`() {
        var questions = PendingQuestions()
        var verdicts: [PodVerdict] = []
        var reports: [MeshReport] = []
        _ = questions.asked(question) { verdicts.append($0) }
        _ = questions.asked(meshReport: 3) { reports.append($0) }
        questions.controllerLost("nobody listens")
        questions.controllerLost("nobody listens")
        #expect(
            verdicts == [PodVerdict(id: 7, outcome: .unknown(reason: "the controller was lost: nobody listens"))])
        #expect(reports == [MeshReport(id: 3)])
    }
}
