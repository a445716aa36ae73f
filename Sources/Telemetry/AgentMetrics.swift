package import Mesh

/// The agent's own metrics (`meshnode_*`), besides those of connections.
package struct AgentMetrics: Sendable {
    private let registry: MetricRegistry
    private let configVersion: GaugeHandle
    /// Restarts of the worker since the agent started.
    package let workerRestarts: CounterHandle
    /// Times that a pod's capture was found broken and repaired.
    package let captureRepairs: CounterHandle

    /// - Parameter registry: where the metrics are shown.
    package init(registry: MetricRegistry) {
        self.registry = registry
        configVersion = registry.gauge("meshnode_config_version", help: "Version of the configuration in force.")
        workerRestarts = registry.counter("meshnode_worker_restarts_total", help: "Restarts of the worker.")
        captureRepairs = registry.counter(
            "meshnode_capture_repairs_total", help: "Times that a pod's capture was repaired.")
    }

    /// A new snapshot is in force.
    package func configurationApplied(version: UInt64) { configVersion.set(Double(version)) }

    /// The authorizer decided: counts the decision, and what audits and dry runs had to say.
    package func decided(_ verdict: Verdict) {
        authorization(verdict.accountablePolicy, verdict.isAllowed ? "allow" : "deny").increment()
        for policy in verdict.audited { authorization(policy, "audit").increment() }
        for outcome in verdict.dryRun { authorization(outcome.policy, outcome.effect.rawValue).increment() }
    }

    /// Forgets the counts of a policy that is gone.
    package func policyRemoved(_ name: NamespacedName) {
        registry.remove(Self.authorizations) { $0["policy"] == name.description }
    }

    /// A workload's certificate is in use.
    package func certificateInstalled(for identity: SPIFFEID, expiresAt secondsSince1970: Int64) {
        registry.gauge(
            Self.expirations, help: "When the certificate expires, in seconds since 1970.",
            labels: MetricLabels([("identity", identity.description)])
        ).set(Double(secondsSince1970))
    }

    /// No pod of that identity is left on this node.
    package func certificateRemoved(for identity: SPIFFEID) {
        registry.remove(Self.expirations) { $0["identity"] == identity.description }
    }

    /// The CA answered, or did not.
    package func renewalEnded(successfully isSuccess: Bool) {
        registry.counter(
            "meshnode_cert_renewals_total", help: "Attempts to renew a certificate.",
            labels: MetricLabels([("result", isSuccess ? "success" : "failure")])
        ).increment()
    }

    /// A peer misused HTTP/2.
    ///
    /// - Parameter kind: one of the codec's few kinds of abuse, never text of the peer.
    package func peerAbusedHTTP2(kind: String) {
        registry.counter(
            "meshnode_h2_abuse_total", help: "HTTP/2 sessions closed for abuse.", labels: MetricLabels([("kind", kind)])
        ).increment()
    }

    /// How many pods of this node are in `state`, such as `captured`.
    package func podsCounted(_ count: Int, in state: String) {
        registry.gauge(
            "meshnode_pods", help: "Pods of this node that take part in the mesh.",
            labels: MetricLabels([("state", state)])
        ).set(Double(count))
    }

    private func authorization(_ policy: NamespacedName?, _ decision: String) -> CounterHandle {
        registry.counter(
            Self.authorizations, help: "Decisions of authorization policies.",
            labels: MetricLabels([("policy", policy?.description ?? "none"), ("decision", decision)]))
    }

    private static let authorizations = "meshnode_authz_total"
    private static let expirations = "meshnode_cert_expiration_timestamp_seconds"
}
