package import Addressing
package import Kernel
package import Mesh
internal import Transport

/// The pods that the loop serves, as the keeper tells of them.
extension ProxyLoop {
    /// The keeper captured a pod: its three listeners. A pod that is known already is replaced.
    package func podEnrolled(
        _ uid: WorkloadUID, outbound: consuming Descriptor, inboundPlaintext: consuming Descriptor,
        hbone: consuming Descriptor
    ) {
        // One that drains serves those that it has; the next worker has the pod's new listeners, too.
        guard !isDraining else { return }
        podWithdrawn(uid)
        enrolmentCount += 1
        let stock = SocketStock { [order] family, count in order(uid, family, count) }
        let pod = LocalPod(uid: uid, enrolment: enrolmentCount, stock: stock, proxy: self)
        pods[uid] = pod
        pod.start(outbound: outbound, inboundPlaintext: inboundPlaintext, hbone: hbone)
    }

    /// The pod is captured no more; its connections run on, and its tunnels take no new ones.
    package func podWithdrawn(_ uid: WorkloadUID) {
        guard let pod = pods.removeValue(forKey: uid) else { return }
        withdrawn.insert(uid)
        pod.close()
        pod.stock.close(errorNumber: SystemError.badDescriptor)
        pod.stock.empty()
        tunnels.drain(from: pod.stock)
        inboundTunnels.drain(enrolment: pod.enrolment)
        if pod.limits.openCount == 0 { limits.forget(uid, pod.limits) }
    }

    /// The keeper is gone: the listeners are closed at once, or the next keeper could not open its own, and there
    /// will be no more sockets.
    package func keeperLost() {
        isDraining = true
        for pod in pods.values {
            pod.close()
            pod.stock.close(errorNumber: SystemError.badDescriptor)
        }
    }

    /// Sockets that were ordered; the loop owns them now.
    package func socketsArrived(_ uid: WorkloadUID, _ family: IPAddress.Family, _ sockets: [Int32]) {
        guard let pod = pods[uid] else {
            for raw in sockets { _ = Descriptor(owning: raw) }
            return
        }
        pod.stock.arrived(family, sockets)
    }

    /// The keeper could make none.
    package func socketsRefused(_ uid: WorkloadUID, _ family: IPAddress.Family, errorNumber: Int32) {
        pods[uid]?.stock.refused(family, errorNumber: errorNumber)
    }

    func pod(_ uid: WorkloadUID) -> LocalPod? { pods[uid] }

    /// Pods that this loop serves.
    package var podCount: Int { pods.count }
}
