internal import XDS

extension WorkerProcess {
    /// Why the mesh's controller is not heard of, and since when; nil if it is.
    var controllerTrouble: String? {
        let cause =
            isConnectedToController
            ? controllerReport?.linkTrouble ?? "" : "the controller's process on this node does not answer"
        guard !cause.isEmpty else { return nil }
        guard let lost = controllerLostAt else { return cause }
        return "\(cause) (since \(Timestamp(secondsSince1970: lost)))"
    }

    /// An answer that the controller had no part in says why.
    func withCause(_ answer: MeshAnswer) -> MeshAnswer {
        guard case .answered(_, nil) = answer, let controllerTrouble else { return answer }
        return .unreachable(controllerTrouble)
    }
}
