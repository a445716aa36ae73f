internal import Identity
internal import Kernel
internal import Mesh
internal import XDS

extension WorkerProcess {
    var certificatesReport: CertificatesReport {
        let authority = (controllerReport?.authority ?? []).map { item in
            CertificatesReport.Item(
                role: item.role == .root ? .root : .issuer, subject: item.subject, serial: item.serial,
                state: state(notBefore: item.notBefore, notAfter: item.notAfter),
                notBefore: Timestamp(secondsSince1970: item.notBefore),
                notAfter: Timestamp(secondsSince1970: item.notAfter))
        }
        let local = snapshot.enrolledWorkloads(onNode: configuration.node)
        let workloads = certificateStatuses.map { status in
            CertificatesReport.Item(
                role: .workload, subject: status.identity.description, serial: status.serial ?? "",
                state: state(of: status),
                notBefore: status.notBefore.map(Timestamp.init(secondsSince1970:)),
                notAfter: status.notAfter.map(Timestamp.init(secondsSince1970:)),
                renewal: status.nextRequest.map(Timestamp.init(secondsSince1970:)),
                pods: local.count { $0.identity == status.identity }, reason: status.lastError ?? "")
        }
        return CertificatesReport(time: time, node: configuration.node, items: authority + workloads)
    }

    private func state(notBefore: Int64, notAfter: Int64) -> CertificatesReport.Item.State {
        let now = WallClock.secondsSince1970
        return now > notAfter ? .expired : now < notBefore ? .notYetValid : .valid
    }

    private func state(of status: CertificateStatus) -> CertificatesReport.Item.State {
        switch status.state {
        case .unavailable: .missing
        case .valid: .valid
        case .renewing: status.lastError == nil ? .valid : .renewalFailing
        }
    }
}
