internal import Kernel

/// The agent's own listeners. The keeper holds them, so that connections wait in the backlog while no worker runs.
final class AgentListeners {
    let admin: Descriptor
    let metrics: Descriptor
    let readiness: Descriptor
    /// Where workers' streams to the controller arrive.
    let controller: Descriptor

    private let paths: [String]

    /// - Throws: `addressInUse`, naming the port or path.
    static func open(_ configuration: KeeperConfiguration) throws(KeeperError) -> AgentListeners {
        // The worker of a keeper that was killed still holds the ports until it has seen that end.
        let deadline = ContinuousClock.now + .seconds(3)
        while true {
            do {
                return try AgentListeners(configuration)
            } catch {
                if error.code != .addressInUse || ContinuousClock.now >= deadline { throw error }
                CurrentProcess.pause(milliseconds: 50)
            }
        }
    }

    private init(_ configuration: KeeperConfiguration) throws(KeeperError) {
        paths = [configuration.adminPath, configuration.controllerPath]
        do {
            metrics = try PodSockets.openListener(port: configuration.metricsPort, mark: nil)
        } catch {
            throw Self.explain("metrics port \(configuration.metricsPort)", error)
        }
        do {
            readiness = try PodSockets.openListener(port: configuration.readinessPort, mark: nil)
        } catch {
            throw Self.explain("readiness port \(configuration.readinessPort)", error)
        }
        do {
            admin = try UnixSocket.listen(configuration.adminPath, mode: 0o600)
        } catch {
            throw Self.explain("admin socket \(configuration.adminPath)", error)
        }
        do {
            controller = try UnixSocket.listen(configuration.controllerPath, mode: 0o600)
        } catch {
            throw Self.explain("controller socket \(configuration.controllerPath)", error)
        }
    }

    /// Deletes the socket files.
    func removeFiles() {
        for path in paths { try? Files.remove(path) }
    }

    private static func explain(_ what: String, _ error: SystemError) -> KeeperError {
        guard error.isAddressInUse else { return KeeperError(.resources, "\(what): \(error)") }
        return KeeperError(
            .addressInUse, "\(what) is in use: another program listens there, or the worker of an agent that was killed"
        )
    }
}
