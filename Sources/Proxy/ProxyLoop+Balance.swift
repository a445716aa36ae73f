internal import Addressing
internal import Kernel
internal import Mesh

extension ProxyLoop {
    /// Serves what `pod` accepted: on this loop, or on one that carries less.
    ///
    ///     this loop ──socket──> the other: serves it if it serves the pod, too
    ///         ^────────taken, or the socket back────────┘
    ///
    /// Until the other has answered, the drain of this loop is not over: a connection that comes back is served here.
    func place(_ socket: consuming TCPSocket, from client: SocketAddress, to port: PodPort, of pod: LocalPod) {
        guard !isDraining, let other = balance.better(than: seat, for: port.load) else {
            return pod.serve(socket, from: client, at: port)
        }
        let number = handedOver(pod)
        let descriptors = DescriptorList(owning: [socket.takeDescriptor().release()])
        let (seat, uid) = (seat, pod.uid)
        other.add(1, port.load)
        other.post { there in
            other.add(-1, port.load)
            let isTaken = there?.take(descriptors, from: client, to: port, of: uid) ?? false
            seat.post { here in here?.handOverEnded(number, isTaken ? nil : descriptors, from: client, at: port) }
        }
    }

    /// Serves what another loop accepted; false if this one cannot.
    private func take(
        _ descriptors: DescriptorList, from client: SocketAddress, to port: PodPort, of uid: WorkloadUID
    ) -> Bool {
        guard !isDraining, let pod = pod(uid), pod.isAccepting, let socket = descriptors.take(at: 0) else {
            return false
        }
        pod.serve(TCPSocket(socket), from: client, at: port)
        return true
    }

    /// - Parameter descriptors: the socket, if it came back.
    private func handOverEnded(
        _ number: UInt64, _ descriptors: DescriptorList?, from client: SocketAddress, at port: PodPort
    ) {
        let pod = handOverAnswered(number)
        if let pod, let socket = descriptors?.take(at: 0) { pod.serve(TCPSocket(socket), from: client, at: port) }
        finishDrainIfEmpty()
    }
}
