import Mesh
import Resources

extension WorkloadOwner {
    /// The object that people know the pod by: the Deployment behind its ReplicaSet, the CronJob behind its Job.
    init(of metadata: ManifestMetadata) {
        self.init(kind: .pod, name: metadata.name)
        guard let owner = metadata.owners.first(where: \.isController) else { return }
        switch owner.kind {
        case "ReplicaSet":
            guard let name = Self.deployment(ofReplicaSet: owner.name, labels: metadata.labels) else { return }
            self.init(kind: .deployment, name: name)
        case "Deployment": self.init(kind: .deployment, name: owner.name)
        case "Job":
            if let name = Self.cronJob(ofJob: owner.name) {
                self.init(kind: .cronjob, name: name)
            } else {
                self.init(kind: .job, name: owner.name)
            }
        case "CronJob": self.init(kind: .cronjob, name: owner.name)
        default: break
        }
    }

    /// A Deployment names its ReplicaSets `NAME-HASH` and puts the hash on the pods too. A ReplicaSet that people
    /// made has no hash.
    private static func deployment(ofReplicaSet name: String, labels: [String: String]) -> String? {
        guard let hash = labels["pod-template-hash"], !hash.isEmpty, name.hasSuffix("-\(hash)") else { return nil }
        let stem = name.dropLast(hash.count + 1)
        return stem.isEmpty ? nil : String(stem)
    }

    /// A CronJob names its Jobs `NAME-MINUTES`, the minutes since 1970 of the schedule.
    private static func cronJob(ofJob name: String) -> String? {
        guard let dash = name.lastIndex(of: "-") else { return nil }
        let minutes = name[name.index(after: dash)...]
        guard (8...10).contains(minutes.utf8.count), minutes.utf8.allSatisfy({ (48...57).contains($0) }),
            dash > name.startIndex
        else { return nil }
        return String(name[..<dash])
    }
}
