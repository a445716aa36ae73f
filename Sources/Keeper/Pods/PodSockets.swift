internal import Addressing
internal import Kernel
internal import Mesh

/// Opens the agent's sockets in the network namespace that the calling thread is in.
enum PodSockets {
    /// In the order in which they are handed over.
    static let listenerPorts = [MeshPorts.outbound, MeshPorts.inboundPlaintext, MeshPorts.hbone]
    static let backlog: Int32 = 4096

    /// The three listeners of a pod, for IPv4 and IPv6 at once where the namespace has IPv6.
    static func openListeners() throws(KeeperError) -> DescriptorList {
        let list = DescriptorList()
        for port in listenerPorts {
            do {
                list.append(try openListener(port: port, mark: MeshMarks.agent))
            } catch {
                throw KeeperError(.addressInUse, explain(error, port))
            }
        }
        return list
    }

    /// Whether the kernel lists all three as listening, in the namespace that the calling thread is in.
    /// - Throws: `enrolment`, naming the port.
    static func probe() throws(KeeperError) {
        let listening: Set<UInt16>
        do {
            listening = try SocketDiagnosis().listeningPorts()
        } catch {
            throw KeeperError(.enrolment, "its listeners cannot be listed: \(error)")
        }
        for port in listenerPorts where !listening.contains(port) {
            throw KeeperError(.enrolment, "nobody listens on port \(port) of the pod")
        }
    }

    /// A nonblocking listener on every address of the namespace.
    static func openListener(port: UInt16, mark: UInt32?) throws(SystemError) -> Descriptor {
        do {
            return try openListener(port: port, mark: mark, family: .v6)
        } catch {
            guard error.isMissingFamily else { throw error }
            return try openListener(port: port, mark: mark, family: .v4)
        }
    }

    /// Unconnected sockets for connections from the pod's own addresses and to its application.
    static func open(_ family: IPAddress.Family, count: Int) throws(SystemError) -> DescriptorList {
        let list = DescriptorList()
        for _ in 0..<count {
            let socket = try TCPSocket.make(family)
            try socket.setMark(MeshMarks.agent)
            try socket.setTransparent(isV6: family == .v6)
            try socket.setNoDelay()
            list.append(socket.takeDescriptor())
        }
        return list
    }

    private static func openListener(
        port: UInt16, mark: UInt32?, family: IPAddress.Family
    ) throws(SystemError) -> Descriptor {
        let socket = try TCPSocket.make(family)
        try socket.setReuseAddress()
        if family == .v6 { try socket.setV6Only(false) }
        if let mark { try socket.setMark(mark) }
        let any = family == .v6 ? IPAddress(v6: 0) : IPAddress(v4: 0)
        try socket.bind(to: SocketAddress(any, port))
        try socket.listen(backlog: backlog)
        return socket.takeDescriptor()
    }

    private static func explain(_ error: SystemError, _ port: UInt16) -> String {
        guard error.isAddressInUse else { return "port \(port) of the pod: \(error)" }
        return "port \(port) of the pod is in use: by its application, or by an agent that still ends"
    }
}
