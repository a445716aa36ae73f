internal import XDS

/// What was asked of the mesh's controller and not answered yet. Whoever asked has a number of its own; another one goes
/// over the network, so that a worker and a keeper that count alike are not confused.
struct PendingQuestions {
    private struct PodAsked {
        let id: UInt64
        let answer: (PodVerdict) -> Void
    }

    private struct MeshAsked {
        let id: UInt64
        let answer: (MeshReport) -> Void
    }

    private var pods: [UInt64: PodAsked] = [:]
    private var meshes: [UInt64: MeshAsked] = [:]
    private var last: UInt64 = 0

    /// - Returns: the question as it goes over the network.
    mutating func asked(_ question: PodQuestion, _ answer: @escaping (PodVerdict) -> Void) -> PodQuestion {
        last &+= 1
        pods[last] = PodAsked(id: question.id, answer: answer)
        var question = question
        question.id = last
        return question
    }

    /// - Returns: the number that goes over the network.
    mutating func asked(meshReport id: UInt64, _ answer: @escaping (MeshReport) -> Void) -> UInt64 {
        last &+= 1
        meshes[last] = MeshAsked(id: id, answer: answer)
        return last
    }

    mutating func answered(_ verdict: PodVerdict) {
        guard let asked = pods.removeValue(forKey: verdict.id) else { return }
        asked.answer(PodVerdict(id: asked.id, outcome: verdict.outcome))
    }

    mutating func answered(_ report: MeshReport) {
        guard let asked = meshes.removeValue(forKey: report.id) else { return }
        var report = report
        report.id = asked.id
        asked.answer(report)
    }

    /// Nothing that is under way will be answered.
    mutating func controllerLost(_ cause: String) {
        let (lostPods, lostMeshes) = (pods.values, meshes.values)
        pods = [:]
        meshes = [:]
        for asked in lostPods {
            let reason = "the controller was lost: \(cause)"
            asked.answer(PodVerdict(id: asked.id, outcome: .unknown(reason: reason)))
        }
        for asked in lostMeshes { asked.answer(MeshReport(id: asked.id)) }
    }
}
