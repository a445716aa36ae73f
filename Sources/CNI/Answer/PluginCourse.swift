/// How a call of the plugin goes on: answered at once, or by the agent.
package enum PluginCourse: Equatable, Sendable {
    case answer(PluginAnswer)
    /// Send `frame` to the agent at `socket`, and take its answer, which is of `limit` at most.
    /// - Parameter whenAway: the answer if there is no agent, or none that answers in time.
    case ask(socket: String, frame: [UInt8], limit: Duration, whenAway: PluginAnswer)

    package init(_ invocation: PluginInvocation) {
        guard invocation.command != PluginCommand.version.rawValue else {
            self = .answer(.versions(invocation.configuration))
            return
        }
        do {
            let request = try PluginRequest(invocation)
            if request.concernsNobody {
                self = .answer(.success(of: request))
            } else {
                self = .ask(
                    socket: request.configuration.agentSocket, frame: try PluginFrame.encode(invocation),
                    limit: request.limit, whenAway: request.answerWithoutAgent)
            }
        } catch {
            let version = (try? PluginConfiguration(invocation.configuration))?.version
            self = .answer(.failure(error, version ?? .newest))
        }
    }
}

extension PluginRequest {
    /// Whether the container is no pod, or one of a namespace that is never enrolled: nobody has to be asked, and
    /// nobody may be, because the agent's own pod is among them.
    package var concernsNobody: Bool {
        guard command.namesAttachment else { return false }
        return pod.map { configuration.excludedNamespaces.contains($0.namespace) } ?? true
    }

    /// How long the agent may take.
    var limit: Duration { command == .add ? .seconds(10) : .seconds(5) }

    var answerWithoutAgent: PluginAnswer {
        let version = configuration.version
        let who = pod.map { "pod \($0)" } ?? "the network"
        let agent = "the meshnode agent does not answer at \(configuration.agentSocket)"
        switch command {
        case .add:
            return .failure(
                PluginError(
                    .tryAgainLater, "\(who) cannot start now: \(agent)",
                    details: "see whether the agent of this node runs; the pod starts when it does"), version)
        case .check:
            return .failure(PluginError(.tryAgainLater, "\(who) cannot be checked now: \(agent)"), version)
        case .status:
            return .failure(PluginError(.notAvailable, "pods cannot start now: \(agent)"), version)
        // Nothing of ours outlives a namespace, and an agent lets go of a dead one by itself.
        case .delete, .collectGarbage, .version:
            return .success
        }
    }
}
