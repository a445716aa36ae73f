import Foundation

/// The manifests of a run, in a directory that both agents watch.
final class Manifests {
    let directory: String
    private let machine: Machine

    init(_ machine: Machine, directory: String) throws {
        self.machine = machine
        self.directory = directory
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    /// Puts a file in place at once, as `mv` does: no reader sees half of it.
    func put(_ name: String, _ text: String) throws {
        let hidden = directory + "/." + name
        try Data(text.utf8).write(to: URL(fileURLWithPath: hidden))
        guard rename(hidden, directory + "/" + name) == 0 else {
            throw CommandFailed(description: "rename of \(name) failed: \(errno)")
        }
    }

    func remove(_ name: String) {
        try? FileManager.default.removeItem(atPath: directory + "/" + name)
    }

    /// A namespace whose pods are in the mesh.
    static func namespace(_ name: String, isEnrolled: Bool = true) -> String {
        """
        apiVersion: v1
        kind: Namespace
        metadata:
          name: \(name)
          labels:
            meshnode.dev/mesh: \(isEnrolled ? "enabled" : "disabled")

        """
    }

    /// A running, ready pod.
    /// - Parameters:
    ///   - uid: nil: one that follows from the name.
    ///   - labels: besides `app`.
    func pod(
        _ pod: TestPod, uid: String? = nil, labels: [String: String] = [:],
        addresses: [String]? = nil
    ) -> String {
        let addresses = addresses ?? [machine.v4(pod), machine.v6(pod)]
        let more = labels.sorted { $0.key < $1.key }.map { "\n    \($0.key): \($0.value)" }.joined()
        return """
            apiVersion: v1
            kind: Pod
            metadata:
              name: \(pod.name)
              namespace: \(pod.namespace)
              uid: \(uid ?? machine.prefix + pod.name)
              labels:
                app: \(pod.name)\(more)
            spec:
              nodeName: node-\(pod.node.rawValue)
              serviceAccountName: \(pod.name)
            status:
              phase: Running
              podIP: \(addresses[0])
              podIPs:
            \(addresses.map { "    - ip: \($0)" }.joined(separator: "\n"))
              conditions:
                - type: Ready
                  status: "True"

            """
    }

    /// A service for the pods with the label `app: NAME`; every port of `PodServer` under its own number, and 80.
    func service(_ name: String, in namespace: String, number: Int) -> String {
        let ports = [(80, PodServer.echo)] + (PodServer.echo...PodServer.nobody).map { ($0, $0) }
        let lines = ports.map { "    - { name: p\($0.0), port: \($0.0), targetPort: \($0.1) }" }
        return """
            apiVersion: v1
            kind: Service
            metadata:
              name: \(name)
              namespace: \(namespace)
            spec:
              selector:
                app: \(name)
              clusterIP: \(machine.serviceV4(number))
              clusterIPs:
                - \(machine.serviceV4(number))
                - \(machine.serviceV6(number))
              ipFamilies: [IPv4, IPv6]
              ipFamilyPolicy: RequireDualStack
              ports:
            \(lines.joined(separator: "\n"))

            """
    }

    /// Who may call the pods with the label `app: NAME`; nil: nobody.
    static func allow(_ principal: String?, to name: String, in namespace: String) -> String {
        let rules = principal.map {
            """
              rules:
                - from:
                    - source:
                        principals: ["cluster.local/\($0)"]
            """
        }
        return """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata:
              name: \(name)-callers
              namespace: \(namespace)
            spec:
              selector:
                matchLabels:
                  app: \(name)
              action: ALLOW
            \(rules ?? "  rules: []")

            """
    }

    /// No pod accepts plaintext.
    static let strict = """
        apiVersion: security.istio.io/v1
        kind: PeerAuthentication
        metadata:
          name: default
          namespace: meshnode-system
        spec:
          mtls:
            mode: STRICT

        """
}
