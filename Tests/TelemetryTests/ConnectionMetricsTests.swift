import Addressing
import Mesh
import TestSupport
import Testing

@testable import Telemetry

@Suite struct `Connection metrics` {
    let registry = MetricRegistry()
    let metrics: ConnectionMetrics

    init() { metrics = ConnectionMetrics(registry: registry) }

    static let labelNames: Set<String> = {
        var names: Set<String> = [
            "reporter", "destination_service", "destination_service_name", "destination_service_namespace",
            "request_protocol", "response_flags", "connection_security_policy",
        ]
        for side in ["source", "destination"] {
            for name in [
                "workload", "workload_namespace", "canonical_service", "canonical_revision", "principal", "app",
                "version",
                "cluster", "region", "zone",
            ] {
                names.insert("\(side)_\(name)")
            }
        }
        return names
    }()

    func labels(of name: String) -> [String: String] {
        let sample = registry.metricFamilies().first { $0.name == name }?.samples.first
        return Dictionary(uniqueKeysWithValues: (sample?.labels.pairs ?? []).map { ($0.name, $0.value) })
    }

    @Test func `carry all that is known`() {
        _ = metrics.opened(record())
        let labels = labels(of: "istio_tcp_connections_opened_total")
        #expect(Set(labels.keys) == Self.labelNames)
        #expect(labels["reporter"] == "source")
        #expect(labels["source_workload"] == "web")
        #expect(labels["destination_workload"] == "api")
        #expect(labels["destination_workload_namespace"] == "pay")
        #expect(labels["source_principal"] == "spiffe://cluster.local/ns/shop/sa/web")
        #expect(labels["destination_service"] == "api.pay.svc.cluster.local")
        #expect(labels["destination_service_name"] == "api")
        #expect(labels["destination_service_namespace"] == "pay")
        #expect(labels["connection_security_policy"] == "mutual_tls")
        #expect(labels["request_protocol"] == "tcp")
        #expect(labels["response_flags"] == "-")
        #expect(labels["source_zone"] == "eu-1")
    }

    @Test func `leave no label out when nothing is known`() {
        var nobody = record(source: nil, destination: nil, security: .plaintext, reason: .egressDenied)
        nobody.service = nil
        nobody.hostname = nil
        metrics.failed(nobody)
        let labels = labels(of: "istio_tcp_connections_failed_total")
        #expect(Set(labels.keys) == Self.labelNames)
        let known: Set<String> = ["reporter", "request_protocol", "response_flags"]
        #expect(labels.filter { !known.contains($0.key) }.values.allSatisfy { $0 == "unknown" })
        #expect(labels["response_flags"] == "DENY")
    }

    @Test func `take principals from TLS only`() {
        _ = metrics.opened(record(security: .plaintext))
        let labels = labels(of: "istio_tcp_connections_opened_total")
        #expect(labels["source_principal"] == "unknown")
        #expect(labels["source_workload"] == "web")
        #expect(labels["connection_security_policy"] == "unknown")
    }

    @Test func `count bytes from the reporting side`() {
        for direction in ConnectionRecord.Direction.allCases {
            let counters = metrics.opened(record(direction))
            counters.addSent(2048)
            counters.addReceived(100)
        }
        let sent = "istio_tcp_sent_bytes_total"
        let received = "istio_tcp_received_bytes_total"
        #expect(value(sent, ["reporter": "source"], in: registry) == .integer(100))
        #expect(value(received, ["reporter": "source"], in: registry) == .integer(2048))
        #expect(value(sent, ["reporter": "destination"], in: registry) == .integer(2048))
        #expect(value(received, ["reporter": "destination"], in: registry) == .integer(100))
    }

    @Test func `count open connections by direction and security`() {
        let counters = metrics.opened(record())
        _ = metrics.opened(record(.inbound, security: .plaintext))
        let mine = ["direction": "outbound", "security": "mutual_tls"]
        #expect(value("meshnode_connections", mine, in: registry) == .number(1))
        #expect(
            value("meshnode_connections", ["direction": "inbound", "security": "plaintext"], in: registry) == .number(1)
        )
        metrics.closed(record(), counters)
        #expect(value("meshnode_connections", mine, in: registry) == .number(0))
        #expect(value("istio_tcp_connections_closed_total", ["reporter": "source"], in: registry) == .integer(1))
    }

    @Test func `say why a connection was cut or failed`() {
        let counters = metrics.opened(record())
        metrics.closed(record(reason: .policyChanged), counters)
        metrics.failed(record(reason: .upstreamTimeout))
        metrics.failed(record(reason: .noHealthyUpstream))
        #expect(value("istio_tcp_connections_closed_total", ["response_flags": "DENY"], in: registry) == .integer(1))
        let failed = "istio_tcp_connections_failed_total"
        #expect(value(failed, ["response_flags": "NETWORK_POLICY"], in: registry) == .integer(1))
        #expect(value(failed, ["response_flags": "NO_HEALTHY_UPSTREAM"], in: registry) == .integer(1))
        #expect(value("istio_tcp_connections_opened_total", ["response_flags": "NETWORK_POLICY"], in: registry) == nil)
    }

    @Test func `share a label set among the pods of one deployment, until the last is gone`() {
        for number in 1...3 { _ = metrics.opened(record(source: pod("web-\(number)", of: "web"))) }
        #expect(metrics.labelSetCount == 1)
        metrics.release(pod("web-1", of: "web").uid)
        metrics.release(pod("web-2", of: "web").uid)
        #expect(value("istio_tcp_connections_opened_total", in: registry) == .integer(3))
        metrics.release(pod("web-3", of: "web").uid)
        #expect(metrics.labelSetCount == 0)
        #expect(value("istio_tcp_connections_opened_total", in: registry) == nil)
    }

    @Test func `do not come back when a connection ends after its pod`() {
        let counters = metrics.opened(record())
        metrics.release(pod("web-1", of: "web").uid)
        counters.addSent(5)
        metrics.closed(record(), counters)
        let other = metrics.opened(record())
        metrics.release(pod("api-1", of: "api", in: "pay").uid)
        metrics.closed(record(reason: .peerReset), other)
        #expect(metrics.labelSetCount == 0)
    }

    @Test func `count another connection by the counters of the first, as long as they are shown`() {
        let counters = metrics.opened(record())
        #expect(counters.openedAgain())
        #expect(value("istio_tcp_connections_opened_total", in: registry) == .integer(2))
        metrics.release(pod("web-1", of: "web").uid)
        #expect(!counters.openedAgain())
        #expect(metrics.labelSetCount == 0)
    }

    @Test func `are swept of pods that are not alive`() {
        metrics.failed(record(source: pod("web-1", of: "web"), reason: .noAllowMatch))
        metrics.failed(record(source: pod("job-1", of: "job"), reason: .noAllowMatch))
        metrics.releaseAll { $0.text.contains("web") || $0.text.contains("api") }
        #expect(metrics.labelSetCount == 1)
        metrics.releaseAll { _ in true }
        #expect(metrics.labelSetCount == 1)
        metrics.releaseAll { _ in false }
        #expect(metrics.labelSetCount == 0)
    }

    @Test func `never show one label set twice`() {
        var odd = pod("x", of: "unknown")
        odd.canonicalName = "unknown"
        odd.canonicalRevision = ""
        var nameless = pod("y", of: "")
        nameless.canonicalName = ""
        nameless.canonicalRevision = "unknown"
        nameless.serviceAccount = "unknown"
        _ = metrics.opened(record(source: odd))
        _ = metrics.opened(record(source: nameless))
        #expect(metrics.labelSetCount == 1)
    }

    @Test func `give every reason a flag`() {
        for reason in Reason.allCases { metrics.failed(record(reason: reason)) }
        let samples = registry.metricFamilies().first { $0.name == "istio_tcp_connections_failed_total" }?.samples ?? []
        let flags = Set(samples.compactMap { $0.labels["response_flags"] })
        #expect(flags.isSuperset(of: ["DENY", "CONNECT", "TLS_FAILURE", "IDENTITY_ERROR", "CERT_REVOKED"]))
        #expect(!flags.contains("-") && !flags.contains("unknown"))
    }
}

@Suite struct `The agent's metrics` {
    let registry = MetricRegistry()

    @Test func `count decisions by policy`() {
        let metrics = AgentMetrics(registry: registry)
        let facts = ConnectionFacts(
            source: nil, sourceAddress: ip("10.0.0.1"), destinationAddress: ip("10.0.0.2"), destinationPort: 80)
        func policy(_ name: String, _ action: AuthorizationPolicy.Action, dryRun: Bool = false) -> AuthorizationPolicy {
            AuthorizationPolicy(
                name: NamespacedName(namespace: "n", name: name), scope: .mesh, action: action,
                rules: [AuthorizationRule(clauses: [])], isDryRun: dryRun)
        }
        for policies in [[policy("w", .deny, dryRun: true)], [policy("d", .deny), policy("a", .audit)]] {
            let verdict = Authorizer.decide(facts, policies: policies)
            for counter in metrics.counters(of: verdict) { counter.increment() }
        }
        let name = "meshnode_authz_total"
        #expect(value(name, ["policy": "none", "decision": "allow"], in: registry) == .integer(1))
        #expect(value(name, ["policy": "n/d", "decision": "deny"], in: registry) == .integer(1))
        #expect(value(name, ["policy": "n/a", "decision": "audit"], in: registry) == .integer(1))
        #expect(value(name, ["policy": "n/w", "decision": "would-deny"], in: registry) == .integer(1))
        metrics.releaseAll { $0 == NamespacedName(namespace: "n", name: "a") }
        #expect(value(name, ["policy": "n/d"], in: registry) == nil)
        #expect(value(name, ["policy": "n/a"], in: registry) != nil)
        #expect(value(name, ["policy": "none"], in: registry) != nil)
    }

    @Test func `tell of configuration, certificates, pods and repairs`() {
        let metrics = AgentMetrics(registry: registry)
        let identity = SPIFFEID(trustDomain: clusterLocal, namespace: "shop", serviceAccount: "web")
        metrics.configurationApplied(version: 4182)
        metrics.configurationAged(.milliseconds(61_500))
        metrics.expectAbuse(of: ["rapid_reset", "ping"])
        metrics.certificateInstalled(for: identity, expiresAt: 1_800_000_000)
        metrics.renewalEnded(successfully: true)
        metrics.renewalEnded(successfully: false)
        metrics.peerAbusedHTTP2(kind: "rapid_reset")
        metrics.podsCounted(3, in: "captured")
        metrics.workerRestarts.increment()
        metrics.captureRepairs.increment()
        let text = registry.text(.prometheus)
        for line in [
            "meshnode_config_version 4182", "meshnode_config_age_seconds 61",
            #"meshnode_h2_abuse_total{kind="ping"} 0"#,
            #"meshnode_cert_expiration_timestamp_seconds{identity="spiffe://cluster.local/ns/shop/sa/web"} 1800000000"#,
            #"meshnode_cert_renewals_total{result="failure"} 1"#, #"meshnode_cert_renewals_total{result="success"} 1"#,
            #"meshnode_h2_abuse_total{kind="rapid_reset"} 1"#, #"meshnode_pods{state="captured"} 3"#,
            "meshnode_worker_restarts_total 1", "meshnode_capture_repairs_total 1",
        ] {
            #expect(text.contains("\n\(line)\n"))
        }
        metrics.certificateRemoved(for: identity)
        #expect(!registry.text(.prometheus).contains("meshnode_cert_expiration"))
    }
}
