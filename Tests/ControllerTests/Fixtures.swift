import Mesh
import Resources
import Testing

@testable import Controller

// swift-format-ignore: NeverForceUnwrap
let parameters = MeshParameters(trustDomain: TrustDomain("cluster.local")!)

/// The objects of files that a test spells out, by file name.
func catalogue(_ files: KeyValuePairs<String, String>) -> DirectoryCatalogue {
    var catalogue = DirectoryCatalogue()
    for (path, text) in files { catalogue.fileRead(path, ManifestFile(bytes: Array(text.utf8), file: path)) }
    catalogue.settle()
    return catalogue
}

/// What the manifests of `text` mean; a manifest that is refused fails the test.
func build(_ text: String, _ parameters: MeshParameters = parameters) -> BuiltMesh {
    let catalogue = catalogue(["test.yaml": text])
    #expect(catalogue.problems.filter { $0.severity == .error } == [])
    return MeshBuilder(parameters).build(catalogue.manifests)
}

extension BuiltMesh {
    func pod(_ name: String) -> Workload? {
        let parts = name.split(separator: "/")
        return state.workloads[
            WorkloadUID(cluster: "Kubernetes", podNamespace: String(parts[0]), podName: String(parts[1]))]
    }

    func service(_ name: String) -> Service? { state.services[self.name(name)] }

    func name(_ text: String) -> NamespacedName {
        let parts = text.split(separator: "/")
        return NamespacedName(namespace: String(parts[0]), name: String(parts[1]))
    }
}

/// A pod on one line; `extra` goes into metadata.
func podText(
    _ name: String, ip: String, labels: String = "", spec: String = "nodeName: n1", extra: String = "",
    status: String = ""
) -> String {
    let parts = name.split(separator: "/")
    let metadata =
        "name: \(parts[1]), namespace: \(parts[0]), labels: {\(labels)}" + (extra.isEmpty ? "" : ", \(extra)")
    let state = "podIP: \"\(ip)\"" + (status.isEmpty ? "" : ", \(status)")
    return "{apiVersion: v1, kind: Pod, metadata: {\(metadata)}, spec: {\(spec)}, status: {\(state)}}\n---\n"
}

func namespaceText(_ name: String, _ labels: String = "meshnode.dev/mesh: enabled") -> String {
    "{apiVersion: v1, kind: Namespace, metadata: {name: \(name), labels: {\(labels)}}}\n---\n"
}

func serviceText(_ name: String, _ spec: String) -> String {
    let parts = name.split(separator: "/")
    return
        "{apiVersion: v1, kind: Service, metadata: {name: \(parts[1]), namespace: \(parts[0])}, spec: {\(spec)}}\n---\n"
}

func securityText(_ kind: String, _ name: String, _ spec: String, created: String = "") -> String {
    let parts = name.split(separator: "/")
    let time = created.isEmpty ? "" : ", creationTimestamp: \"\(created)\""
    return
        "{apiVersion: security.istio.io/v1, kind: \(kind), metadata: {name: \(parts[1]), namespace: \(parts[0])\(time)}, spec: {\(spec)}}\n---\n"
}
