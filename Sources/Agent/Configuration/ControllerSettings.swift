/// What a controller was asked to do, whether it is an agent's child or `meshnode controller`.
package struct ControllerSettings: Codable, Sendable, Equatable {
    /// The manifests, the authority, and where it is reached.
    package var source: AgentConfiguration.EmbeddedController
    /// The mesh's own trust domain.
    package var trustDomain: String
    /// Namespaces whose policies hold for the whole mesh.
    package var rootNamespaces: [String]
    /// Where its admin socket is.
    package var runDirectory: String
    /// Form of the log.
    package var logFormat: AgentConfiguration.LogFormat
    /// The least important level that is logged.
    package var logLevel: AgentConfiguration.LogLevel

    package init(
        source: AgentConfiguration.EmbeddedController, trustDomain: String = "cluster.local",
        rootNamespaces: [String] = ["meshnode-system", "istio-system"], runDirectory: String = "/run/meshnode",
        logFormat: AgentConfiguration.LogFormat = .text, logLevel: AgentConfiguration.LogLevel = .info
    ) {
        self.source = source
        self.trustDomain = trustDomain
        self.rootNamespaces = rootNamespaces
        self.runDirectory = runDirectory
        self.logFormat = logFormat
        self.logLevel = logLevel
    }

    /// Path of the socket that tells about the whole mesh.
    package var adminSocketPath: String { "\(runDirectory)/controller-admin.sock" }
}

extension AgentConfiguration {
    /// What the embedded controller is told.
    func settings(of controller: EmbeddedController) -> ControllerSettings {
        ControllerSettings(
            source: controller, trustDomain: trustDomain, rootNamespaces: rootNamespaces, runDirectory: runDirectory,
            logFormat: logFormat, logLevel: logLevel)
    }
}
