import Addressing
import Mesh
import Resources
import TestSupport
import Testing

@Suite struct `A Pod manifest` {
    private let full = """
        apiVersion: v1
        kind: Pod
        metadata:
          name: web-1
          namespace: shop
          uid: 6f1c
          creationTimestamp: "2026-01-31T12:00:00Z"
          labels: {app: web, version: 2}
          annotations:
            meshnode.dev/exclude-inbound-ports: "9090, 9091"
            traffic.sidecar.istio.io/excludeInboundPorts: "1"
            traffic.sidecar.istio.io/excludeOutboundIPRanges: 10.9.0.0/16,fd00::/8
          ownerReferences:
            - {apiVersion: apps/v1, kind: ReplicaSet, name: web-5d8, controller: true, uid: x}
        spec:
          serviceAccountName: web
          nodeName: node-a
          containers:
            - name: app
              image: nginx
              ports: [{name: http, containerPort: 8080}, {containerPort: 9}, {name: dns, containerPort: 53, protocol: UDP}]
          initContainers:
            - {name: side, restartPolicy: Always, ports: [{name: admin, containerPort: 9000}]}
        status:
          phase: Running
          podIP: 10.0.0.1
          podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]
          conditions: [{type: Initialized, status: "True"}, {type: Ready, status: "False"}]
        """

    @Test func `is read whole`() throws {
        #expect(read(full).problems == [])
        let pod = try #require(decodePod(full))
        #expect(pod.metadata.uid == "6f1c")
        #expect(pod.metadata.labels == ["app": "web", "version": "2"])
        #expect(pod.metadata.createdAt == 1_769_860_800)
        #expect(pod.metadata.owners == [.init(kind: "ReplicaSet", name: "web-5d8", isController: true)])
        #expect(pod.serviceAccount == "web")
        #expect(pod.node == "node-a")
        #expect(pod.namedPorts == [.init(name: "http", port: 8080), .init(name: "admin", port: 9000)])
        #expect(pod.addresses == [ip("10.0.0.1"), ip("fd00::1")])
        #expect(!pod.isHealthy)
        #expect(pod.exclusions.inboundPorts == [9090, 9091])
        #expect(pod.exclusions.outboundPrefixes == [IPPrefix("10.9.0.0/16"), IPPrefix("fd00::/8")].compactMap { $0 })
    }

    @Test(arguments: [
        ("", true), ("phase: Running", true), ("phase: Pending", false),
        ("conditions: [{type: Ready, status: \"True\"}]", true),
        ("conditions: [{type: Ready, status: Unknown}]", false), ("phase: Failed", false),
    ])
    func `tells whether the pod is ready`(status: String, isHealthy: Bool) throws {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nstatus: {\(status)}\n"
        #expect(try #require(decodePod(text)).isHealthy == isHealthy)
    }

    @Test func `of a pod that is being deleted is not healthy`() throws {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, deletionTimestamp: \"2026-01-01T00:00:00Z\"}\n"
        #expect(try #require(decodePod(text)).isHealthy == false)
    }

    @Test(arguments: [
        ("spec: {hostNetwork: \"yes\"}", "spec.hostNetwork"), ("spec: [a]", "spec"),
        ("spec: {serviceAccountName: a/b}", "spec.serviceAccountName"),
        ("status: {podIP: 10.0.0}", "status.podIP"),
        ("status: {podIPs: [{ip: 1.2.3.4}, {ip: x}]}", "status.podIPs[1].ip"),
        ("status: {podIPs: [{}]}", "status.podIPs[0].ip"), ("status: {podIPs: 10.0.0.1}", "status.podIPs"),
        (
            "spec: {containers: [{ports: [{name: a, containerPort: 70000}]}]}",
            "spec.containers[0].ports[0].containerPort"
        ),
        ("spec: {nodeName: [n]}", "spec.nodeName"),
    ])
    func `with a wrong field is refused`(part: String, field: String) {
        let file = read("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n\(part)\n")
        #expect(file.entries.map(\.object) == [nil])
        #expect(places(file) == ["error 4 \(field)"])
    }

    @Test(arguments: ["yesterday", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01"])
    func `with a wrong time or exclusion is refused`(time: String) {
        #expect(decodePod("apiVersion: v1\nkind: Pod\nmetadata: {name: a, creationTimestamp: \"\(time)\"}\n") == nil)
        let exclusion = read(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations:\n    meshnode.dev/exclude-outbound-ports: 80,x\n"
        )
        #expect(places(exclusion) == ["error 6 metadata.annotations.meshnode.dev/exclude-outbound-ports"])
    }

    @Test func `with unknown fields is warned of and in force`() {
        let file = read(
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a, lables: {}}\nspec:\n  hostNetwrk: true\nfoo: 1\n")
        #expect(file.entries.first?.object != nil)
        #expect(places(file) == ["warning 6 foo", "warning 3 metadata.lables", "warning 5 spec.hostNetwrk"])
        #expect(file.problems.allSatisfy { $0.topic == .unknownField })
    }

    @Test func `reads times with offsets and fractions`() throws {
        func time(_ text: String) throws -> Int64? {
            try #require(decodePod("apiVersion: v1\nkind: Pod\nmetadata: {name: a, creationTimestamp: \"\(text)\"}\n"))
                .metadata.createdAt
        }
        #expect(try time("1970-01-01T00:00:00Z") == 0)
        #expect(try time("2000-02-29T00:00:00.123456Z") == 951_782_400)
        #expect(try time("2026-01-31T13:00:00+01:00") == 1_769_860_800)
        #expect(try time("1969-12-31T23:59:59Z") == -1)
    }
}

@Suite struct `A Service manifest` {
    @Test func `is read whole`() throws {
        let service = try #require(
            decodeService(
                """
                apiVersion: v1
                kind: Service
                metadata: {name: api, namespace: pay}
                spec:
                  type: ClusterIP
                  clusterIP: 10.96.0.1
                  clusterIPs: [10.96.0.1, "fd96::1"]
                  selector: {app: api}
                  publishNotReadyAddresses: true
                  sessionAffinity: ClientIP
                  internalTrafficPolicy: Local
                  trafficDistribution: PreferSameNode
                  ports:
                    - {name: http, port: 80, targetPort: web, appProtocol: http}
                    - {name: plain, port: 81}
                    - {name: other, port: 82, targetPort: 8082}
                    - {name: dns, port: 53, protocol: UDP}
                """))
        #expect(service.clusterIPs == [ip("10.96.0.1"), ip("fd96::1")])
        #expect(
            service.ports == [
                .init(name: "http", port: 80, target: .name("web"), appProtocol: "http"),
                .init(name: "plain", port: 81),
                .init(name: "other", port: 82, target: .number(8082)),
            ])
        #expect(service.selector == ["app": "api"])
        #expect(service.publishesNotReady && service.hasClientAffinity && service.isNodeLocal)
        #expect(service.trafficDistribution == .sameNode)
    }

    @Test func `may be headless or a DNS alias`() throws {
        let headless = try #require(
            decodeService("{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {clusterIP: None}}"))
        #expect(headless.clusterIPs == [])
        let alias = try #require(
            decodeService("{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {type: ExternalName}}"))
        #expect(alias.isExternalName)
    }

    @Test(arguments: [
        ("clusterIP: 10.96.0.1.2", "spec.clusterIP"), ("ports: [{port: 0}]", "spec.ports[0].port"),
        ("ports: [{}]", "spec.ports[0].port"),
        ("ports: [{port: 1, targetPort: 99999}]", "spec.ports[0].targetPort"), ("ports: {port: 1}", "spec.ports"),
        ("selector: [a]", "spec.selector"), ("publishNotReadyAddresses: maybe", "spec.publishNotReadyAddresses"),
    ])
    func `with a wrong field is refused`(part: String, field: String) {
        let file = read("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  \(part)\n")
        #expect(file.entries.map(\.object) == [nil])
        #expect(places(file) == ["error 5 \(field)"])
    }
}

@Suite struct `An EndpointSlice manifest` {
    @Test func `is read whole`() throws {
        let text = """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: api-1, namespace: pay, labels: {kubernetes.io/service-name: api}}
            addressType: IPv4
            ports: [{name: http, port: 8080}, {name: dns, port: 53, protocol: UDP}, {name: any}]
            endpoints:
              - {addresses: [10.0.0.1], targetRef: {kind: Pod, name: api-1}, nodeName: n, zone: z}
              - {addresses: [10.0.0.2], conditions: {ready: false, serving: true}}
            """
        guard case .endpointSlice(let slice) = object(text) else {
            Issue.record("\(read(text).problems)")
            return
        }
        #expect(slice.service == NamespacedName(namespace: "pay", name: "api"))
        #expect(slice.ports == [.init(name: "http", port: 8080), .init(name: "any", port: nil)])
        #expect(
            slice.endpoints == [
                .init(
                    addresses: [ip("10.0.0.1")], pod: NamespacedName(namespace: "pay", name: "api-1"), node: "n",
                    zone: "z"),
                .init(addresses: [ip("10.0.0.2")], isReady: false),
            ])
        #expect(read(text).problems == [])
    }

    @Test(arguments: [
        ("endpoints: [{}]", "endpoints[0].addresses"),
        ("endpoints: [{addresses: [here]}]", "endpoints[0].addresses[0]"),
        ("ports: [{port: x}]", "ports[0].port"),
        ("endpoints: [{addresses: [], conditions: {ready: 1}}]", "endpoints[0].conditions.ready"),
    ])
    func `with a wrong field is refused`(part: String, field: String) {
        let file = read("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a}\n\(part)\n")
        #expect(places(file) == ["error 4 \(field)"])
    }

    @Test func `of names instead of addresses has no endpoints`() {
        let text = """
            {apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: a}, addressType: FQDN,
             endpoints: [{addresses: [example.com]}]}
            """
        #expect(read(text).problems == [])
    }
}

@Suite struct `Namespaces, nodes and service accounts` {
    @Test(arguments: ["Namespace", "Node", "ServiceAccount"])
    func `are read, and refused with wrong labels`(kind: String) {
        let file = read("apiVersion: v1\nkind: \(kind)\nmetadata:\n  name: a\n  labels: {x: y, empty: }\n")
        #expect(file.problems == [])
        #expect(file.entries.first?.object != nil)
        let bad = read("apiVersion: v1\nkind: \(kind)\nmetadata:\n  name: a\n  labels: {x: [y]}\n")
        #expect(places(bad) == ["error 5 metadata.labels.x"])
        #expect(bad.entries.map(\.object) == [nil])
    }
}
