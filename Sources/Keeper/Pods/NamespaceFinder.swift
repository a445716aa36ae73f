internal import Addressing
internal import Kernel
internal import Mesh

/// A namespace that is a pod's.
struct FoundNamespace {
    let namespace: NetworkNamespace
    /// Where it was found.
    let path: String
}

/// A pod whose namespace is looked for.
struct SoughtPod {
    let uid: WorkloadUID
    /// Its UID in Kubernetes; empty where it has none.
    let podUID: String
    let addresses: Set<IPAddress>
}

extension Pod {
    /// What is looked for when its namespace is not known.
    var sought: SoughtPod { SoughtPod(uid: wish.uid, podUID: wish.podUID, addresses: Set(wish.addresses)) }
}

/// Finds the network namespaces of pods that run.
///
/// The namespace must have one of the pod's addresses, which alone proves little: whoever may make namespaces can give
/// one any address. So where the pod has processes in the cgroup that the kubelet made for it, only theirs count, the
/// oldest first; and a namespace with processes of another pod's cgroup is never a pod's that has a UID.
struct NamespaceFinder {
    let directories: [String]

    /// The namespace of each pod of which one is found. One look at every process, however many pods.
    func find(_ sought: [SoughtPod]) -> [WorkloadUID: FoundNamespace] {
        guard !sought.isEmpty else { return [:] }
        var look = NamespaceLook(directories: directories)
        var found: [WorkloadUID: FoundNamespace] = [:]
        for pod in sought {
            for candidate in look.candidates(for: pod.podUID) {
                guard let opened = look.open(candidate), !opened.addresses.isDisjoint(with: pod.addresses) else {
                    continue
                }
                found[pod.uid] = opened.found
                break
            }
        }
        return found
    }

    /// The numbers of all namespaces that a name or a process still refers to, and where they can be seen.
    func living() -> [UInt64: String] {
        let candidates = NamespaceCandidates.list(directories: directories)
        return Dictionary(candidates.map { ($0.inode, $0.path) }) { first, _ in first }
    }
}

/// The namespaces of this machine as they are at one moment.
private struct NamespaceLook {
    struct Opened {
        let found: FoundNamespace
        let addresses: Set<IPAddress>
    }

    /// Each once: named ones first, then those of processes, the oldest first.
    private var all: [NamespaceCandidate] = []
    /// Those of the processes in each pod's cgroup, the oldest first.
    private var ofPods: [String: [UInt64]] = [:]
    /// The namespaces that have processes in some pod's cgroup.
    private var claimed: Set<UInt64> = []
    private var opened: [UInt64: Opened?] = [:]

    init(directories: [String]) {
        var seen: Set<UInt64> = []
        all = NamespaceCandidates.named(in: directories).filter { seen.insert($0.inode).inserted }
        for process in NamespaceCandidates.processes() {
            if seen.insert(process.inode).inserted {
                all.append(NamespaceCandidate(path: process.path, inode: process.inode))
            }
            guard let podUID = PodCgroup.podUID(in: process.cgroups) else { continue }
            claimed.insert(process.inode)
            if ofPods[podUID]?.contains(process.inode) != true { ofPods[podUID, default: []].append(process.inode) }
        }
    }

    func candidates(for podUID: String) -> [NamespaceCandidate] {
        if podUID.isEmpty { return all }
        guard let own = ofPods[podUID] else { return all.filter { !claimed.contains($0.inode) } }
        return own.compactMap { inode in all.first { $0.inode == inode } }
    }

    /// Opened once, whoever asks; nil for one that vanished, or whose path leads elsewhere by now.
    mutating func open(_ candidate: NamespaceCandidate) -> Opened? {
        if let known = opened[candidate.inode] { return known }
        var result: Opened?
        if let namespace = try? NetworkNamespace.open(path: candidate.path), namespace.inode == candidate.inode,
            let addresses = try? namespace.addresses()
        {
            result = Opened(
                found: FoundNamespace(namespace: namespace, path: candidate.path), addresses: addresses)
        }
        opened[candidate.inode] = .some(result)
        return result
    }
}
