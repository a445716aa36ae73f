package import Addressing

/// Traffic of a pod that its annotations leave out of capture.
package struct CaptureExclusions: Hashable, Sendable {
    /// The application's ports that plaintext reaches without the mesh.
    package var inboundPorts: [UInt16]
    /// Destination ports that the pod reaches without the mesh.
    package var outboundPorts: [UInt16]
    /// Destinations that the pod reaches without the mesh.
    package var outboundPrefixes: [IPPrefix]

    package init(inboundPorts: [UInt16] = [], outboundPorts: [UInt16] = [], outboundPrefixes: [IPPrefix] = []) {
        self.inboundPorts = inboundPorts
        self.outboundPorts = outboundPorts
        self.outboundPrefixes = outboundPrefixes
    }
}

extension CaptureExclusions {
    /// Reads `meshnode.dev/exclude-*`, or what sidecar meshes call the same; ours wins where both are there.
    init(annotationsOf object: ObjectFields) {
        self.init()
        guard let annotations = object.root["metadata"]?.mapping()?["annotations"]?.mapping() else { return }
        func parts<Value>(_ names: [String], _ what: String, _ parse: (Substring) -> Value?) -> [Value] {
            names.lazy.compactMap { annotations[$0] }.first?.commaSeparated(what, parse) ?? []
        }
        inboundPorts = parts(
            ["meshnode.dev/exclude-inbound-ports", "traffic.sidecar.istio.io/excludeInboundPorts"],
            "ports from 1 through 65535"
        ) { parsePort($0) }
        outboundPorts = parts(
            ["meshnode.dev/exclude-outbound-ports", "traffic.sidecar.istio.io/excludeOutboundPorts"],
            "ports from 1 through 65535"
        ) { parsePort($0) }
        outboundPrefixes = parts(
            ["meshnode.dev/exclude-outbound-cidrs", "traffic.sidecar.istio.io/excludeOutboundIPRanges"],
            "addresses or blocks such as 10.0.0.0/8"
        ) { IPPrefix($0) }
    }
}

extension Substring {
    func trimmingBlanks() -> Substring {
        let start = drop { $0 == " " || $0 == "\t" }
        guard let end = start.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return start.prefix(0) }
        return start[...end]
    }
}
