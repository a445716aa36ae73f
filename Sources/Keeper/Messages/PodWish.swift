package import Addressing
package import Capture
package import Mesh

/// A pod that the controller wants captured, and how.
package struct PodWish: Hashable, Sendable {
    /// How capture differs from the usual.
    package struct Options: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// Plaintext from outside reaches the application unredirected: ingress gateways.
        package static let bypassesInbound = Options(rawValue: 1)
        /// What is neither TCP nor ICMP does not leave the pod.
        package static let dropsNonTCPOutbound = Options(rawValue: 2)
        /// What is neither TCP nor ICMP does not reach the pod.
        package static let dropsNonTCPInbound = Options(rawValue: 4)
        /// Connections to the pod that were there before its capture are aborted: STRICT forbids them.
        package static let abortsOldInbound = Options(rawValue: 8)

        static let all: Options = [.bypassesInbound, .dropsNonTCPOutbound, .dropsNonTCPInbound, .abortsOldInbound]
    }

    /// The pod's name in the mesh.
    package var uid: WorkloadUID
    /// Its Kubernetes namespace; at most 253 bytes.
    package var namespace: String
    /// Its own name; at most 253 bytes.
    package var name: String
    /// Its UID in Kubernetes, by which its processes are told from those of other pods; at most 64 bytes, empty where
    /// it has none.
    package var podUID: String
    /// 1 through 8; by them the pod's network namespace is found. None in the verdict on a pod that just starts.
    package var addresses: [IPAddress]
    /// At most 64.
    package var excludedInboundPorts: [UInt16]
    /// At most 64.
    package var excludedOutbound: [ExcludedDestination]
    /// How its capture differs from the usual.
    package var options: Options

    package init(
        uid: WorkloadUID, namespace: String, name: String, podUID: String = "", addresses: [IPAddress],
        excludedInboundPorts: [UInt16] = [], excludedOutbound: [ExcludedDestination] = [], options: Options = []
    ) {
        self.uid = uid
        self.namespace = namespace
        self.name = name
        // A longer one is no UID, and must not end the channel.
        self.podUID = podUID.utf8.count <= MessageLimits.podUID ? podUID : ""
        self.addresses = addresses
        self.excludedInboundPorts = excludedInboundPorts
        self.excludedOutbound = excludedOutbound
        self.options = options
    }

    /// - Parameter needsAddress: whether a wish without an address is malformed.
    init(reader: inout MessageReader, needsAddress: Bool = true) throws(KeeperError) {
        uid = try reader.uid()
        namespace = try reader.text(limit: MessageLimits.name)
        name = try reader.text(limit: MessageLimits.name)
        podUID = try reader.text(limit: MessageLimits.podUID)
        addresses = try reader.list(limit: MessageLimits.addresses) { reader throws(KeeperError) in
            try reader.address()
        }
        excludedInboundPorts = try reader.list(limit: MessageLimits.excludedPorts) { reader throws(KeeperError) in
            try reader.number(UInt16.self)
        }
        excludedOutbound = try reader.list(limit: MessageLimits.excludedDestinations) { reader throws(KeeperError) in
            try ExcludedDestination(reader: &reader)
        }
        options = Options(rawValue: try reader.number(UInt8.self))
        try check(needsAddress: needsAddress)
    }

    func write(to writer: inout MessageWriter, needsAddress: Bool = true) throws(KeeperError) {
        try check(needsAddress: needsAddress)
        try writer.uid(uid)
        try writer.text(namespace, limit: MessageLimits.name)
        try writer.text(name, limit: MessageLimits.name)
        try writer.text(podUID, limit: MessageLimits.podUID)
        try writer.list(addresses, limit: MessageLimits.addresses) { writer, address in writer.address(address) }
        try writer.list(excludedInboundPorts, limit: MessageLimits.excludedPorts) { writer, port in writer.number(port)
        }
        try writer.list(excludedOutbound, limit: MessageLimits.excludedDestinations) { writer, destination in
            destination.write(to: &writer)
        }
        writer.number(options.rawValue)
    }

    private func check(needsAddress: Bool) throws(KeeperError) {
        guard !addresses.isEmpty || !needsAddress else { throw .malformed("a pod without an address") }
        // By a loopback or wildcard address the pod would be "found" in any namespace.
        guard addresses.allSatisfy({ !$0.isLoopback && !$0.isUnspecified && !$0.isLinkLocal && !$0.isMulticast }) else {
            throw .malformed("an address that no pod has")
        }
        guard Options.all.isSuperset(of: options) else { throw .malformed("unknown options") }
    }
}

extension ExcludedDestination {
    fileprivate init(reader: inout MessageReader) throws(KeeperError) {
        let address = try reader.address()
        let length = Int(try reader.number(UInt8.self))
        let first = try reader.number(UInt16.self)
        let last = try reader.number(UInt16.self)
        guard let prefix = IPPrefix(address, length: length), prefix.address == address, first <= last else {
            throw .malformed("an excluded destination")
        }
        self.init(prefix, ports: first...last)
    }

    fileprivate func write(to writer: inout MessageWriter) {
        writer.address(prefix.address)
        writer.number(UInt8(clamping: prefix.length))
        writer.number(ports.lowerBound)
        writer.number(ports.upperBound)
    }
}
