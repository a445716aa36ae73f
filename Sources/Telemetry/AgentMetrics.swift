package import Mesh

/// The agent's own metrics (`meshnode_*`), besides those of connections.
package struct AgentMetrics: Sendable {
    private let registry: MetricRegistry
    private let configVersion: GaugeHandle
    private let configAge: GaugeHandle
    /// Restarts of the worker since the agent started.
    package let workerRestarts: CounterHandle
    /// Times that a pod's capture was found broken and repaired.
    package let captureRepairs: CounterHandle

    /// - Parameter registry: where the metrics are shown.
    package init(registry: MetricRegistry) {
        self.registry = registry
        configVersion = registry.gauge("meshnode_config_version", help: "Version of the configuration in force.")
        configAge = registry.gauge(
            "meshnode_config_age_seconds", help: "Time since the configuration in force changed.")
        workerRestarts = registry.counter("meshnode_worker_restarts_total", help: "Restarts of the worker.")
        captureRepairs = registry.counter(
            "meshnode_capture_repairs_total", help: "Times that a pod's capture was repaired.")
    }

    /// A new snapshot is in force.
    package func configurationApplied(version: UInt64) { configVersion.set(Double(version)) }

    /// The snapshot in force came `age` ago.
    package func configurationAged(_ age: Duration) { configAge.set(Double(age.components.seconds)) }

    /// What a decision such as `verdict` counts with, and what audits and dry runs had to say.
    package func counters(of verdict: Verdict) -> [CounterHandle] {
        [authorization(verdict.accountablePolicy, verdict.isAllowed ? "allow" : "deny")]
            + verdict.audited.map { authorization($0, "audit") }
            + verdict.dryRun.map { authorization($0.policy, $0.effect.rawValue) }
    }

    /// Forgets the counts of every policy that is not in force any more.
    package func releaseAll(exceptPolicies isInForce: (NamespacedName) -> Bool) {
        registry.remove(Self.authorizations) { labels in
            guard let parts = labels["policy"]?.split(separator: "/", maxSplits: 1), parts.count == 2 else {
                return false
            }
            return !isInForce(NamespacedName(namespace: String(parts[0]), name: String(parts[1])))
        }
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

    /// Shows the kinds of abuse before there is any: what begins at one has no increase that could be seen.
    package func expectAbuse(of kinds: [String]) {
        for kind in kinds { _ = abuses(of: kind) }
    }

    /// A peer misused HTTP/2.
    ///
    /// - Parameter kind: one of the codec's few kinds of abuse, never text of the peer.
    package func peerAbusedHTTP2(kind: String) { abuses(of: kind).increment() }

    private func abuses(of kind: String) -> CounterHandle {
        registry.counter(
            "meshnode_h2_abuse_total", help: "HTTP/2 sessions closed for abuse.", labels: MetricLabels([("kind", kind)])
        )
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
            labels: MetricLabels([("policy", policy?.description ?? Self.noPolicy), ("decision", decision)]))
    }

    private static let authorizations = "meshnode_authz_total"
    /// No policy's name: those have a namespace.
    private static let noPolicy = "none"
    private static let expirations = "meshnode_cert_expiration_timestamp_seconds"
}
