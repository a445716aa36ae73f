import Identity
import Kernel
import Mesh
import TLS
import Testing
import XDS

@testable import Agent

@Suite struct `A worker's state` {
    private func sample() -> WorkerState {
        var state = WorkerState(node: "node-a", writtenAt: -5)
        state.mesh = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
        state.certificates = [
            WorkerState.Certificate(
                identity: "spiffe://mesh/ns/a/sa/b", chain: [[1, 2, 3], [], [4]], key: [9, 9], version: .max),
            WorkerState.Certificate(identity: "", chain: [], key: [], version: 0),
        ]
        state.bundles = [WorkerState.Bundle(trustDomain: "mesh", roots: [[7], [8, 8]])]
        state.revokedSerials = ["ab", "cdef"]
        return state
    }

    @Test func `is read as it was written`() throws {
        #expect(try WorkerState(decoding: sample().encoded()) == sample())
        let empty = WorkerState(node: "", writtenAt: .max)
        #expect(try WorkerState(decoding: empty.encoded()) == empty)
    }

    @Test func `is refused when it is cut short, at every byte`() throws {
        let bytes = try sample().encoded()
        for count in bytes.indices {
            #expect(throws: AgentError.self) { try WorkerState(decoding: Array(bytes[..<count])) }
        }
        #expect(throws: AgentError.self) { try WorkerState(decoding: bytes + [0]) }
    }

    @Test func `is refused when any bit is another`() throws {
        let bytes = try sample().encoded()
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1 << (index % 8)
            #expect(throws: AgentError.self) { try WorkerState(decoding: changed) }
        }
    }

    @Test func `of another version says so`() throws {
        var bytes = try sample().encoded()
        bytes[8] = 2
        let error = #expect(throws: AgentError.self) { try WorkerState(decoding: bytes) }
        #expect(error?.code == .unusableState && error?.message.contains("version 2") == true)
    }

    /// A stranger can make the checksum right; what is behind it must not trap or take memory without end.
    @Test func `that a stranger wrote is read or refused, and never worse`() throws {
        var random = SplitMix(state: 0x5eed_0001)
        let bytes = try sample().encoded()
        var accepted = 0
        for _ in 0..<20_000 {
            var changed = bytes
            for _ in 0..<Int(1 + random.next() % 6) {
                let index = 32 + Int(random.next() % UInt64(changed.count - 32))
                switch random.next() % 4 {
                case 0: changed[index] = UInt8(truncatingIfNeeded: random.next())
                case 1: changed[index] = [0, 0xff, 0x7f, 0x80][Int(random.next() % 4)]
                case 2: changed.remove(at: index)
                default: changed.insert(UInt8(truncatingIfNeeded: random.next()), at: index)
                }
            }
            if random.next() % 8 == 0 { changed[12] = UInt8(truncatingIfNeeded: random.next()) }
            let signed = WorkerState.withRightChecksum(changed)
            if let state = try? WorkerState(decoding: signed) {
                accepted += 1
                _ = state.svids(at: 0)
                _ = try? state.trustBundles(own: Samples.trustDomain)
            }
        }
        // Otherwise nothing was tried but the checksum.
        #expect(accepted > 1000)
    }

    @Test func `carries certificates, roots and revocations to the next worker`() throws {
        let directory = try TemporaryDirectory()
        let authority = try SigningAuthority(Samples.settings(authority: .init(directory: directory.path)))
        authority.identities = IdentitiesByNode(["node-a": [Samples.web, Samples.api]])
        let worker = CollectingDelegate(authority)
        let manager = CertificateManager(trustDomain: Samples.trustDomain, delegate: worker)
        worker.manager = manager
        manager.want([Samples.web, Samples.api])
        worker.answerAll()
        #expect(manager.svids.count == 2)
        try manager.trust(bundlePEM: "", revokedSerials: ["0aBC"])
        // A subscriber that was started while the controller is away knows nothing, which takes nothing back.
        try manager.trust(bundlePEM: "", revokedSerials: [])

        var state = WorkerState(node: "node-a", writtenAt: 7)
        state.take(manager.svids, manager.bundles)
        let read = try WorkerState(decoding: state.encoded())
        let now = WallClock.secondsSince1970
        #expect(read.svids(at: now).count == 2)
        #expect(Set(read.svids(at: now).map(\.serial)) == Set(manager.svids.map(\.serial)))
        #expect(read.svids(at: now + 25 * 3600).isEmpty)
        let trust = try read.trustBundles(own: Samples.trustDomain)
        #expect(trust.roots(of: Samples.trustDomain) == manager.bundles.roots(of: Samples.trustDomain))
        #expect(trust.revokedSerials == ["abc"])

        // The next worker serves with them at once, without asking anybody.
        let next = CollectingDelegate(nil)
        let successor = CertificateManager(trustDomain: Samples.trustDomain, delegate: next)
        successor.restore(read.svids(at: now), trust)
        successor.want([Samples.web, Samples.api])
        #expect(Set(next.ready.map(\.identity)) == [Samples.web, Samples.api] && next.requests.isEmpty)
        #expect(next.bundles.count == 1)

        // But not with what was taken back meanwhile.
        var revoked = read
        revoked.revokedSerials.append(manager.svids[0].canonicalSerial)
        #expect(revoked.svids(at: now).count == 1)
    }

    @Test func `without roots is of no use`() throws {
        let error = #expect(throws: AgentError.self) {
            try WorkerState(node: "n", writtenAt: 0).trustBundles(own: Samples.trustDomain)
        }
        #expect(error?.message.contains("no roots of cluster.local") == true)
    }
}

@Suite struct `Leaving the state to the next worker` {
    @Test func `happens after changes, once a second at most, in sealed memory`() throws {
        var made = 0
        var left: [WorkerState] = []
        let desk = StateHandOver { () throws(AgentError) in
            made += 1
            return WorkerState(node: "node-a", writtenAt: Int64(made))
        } send: { memory in
            if let raw = memory.take(at: 0), let state = try? StateHandOver.receive(raw, node: "node-a") {
                left.append(state)
            }
        } complain: {
            Issue.record("\($0)")
        }
        let start = ContinuousClock.now
        desk.tick(at: start)
        #expect(made == 0)
        for step in 0...30 {
            desk.changed()
            desk.tick(at: start + .milliseconds(100 * step))
        }
        #expect(left.map(\.writtenAt) == [1, 2, 3, 4])
        desk.tick(at: start + .seconds(10))
        desk.tick(at: start + .seconds(20))
        #expect(made == 4)
    }

    @Test func `takes nothing from where nothing was left, and nothing of another node`() throws {
        let nothing = try StateHandOver.receive(try Descriptor.open("/dev/null", .read), node: "node-a")
        #expect(nothing == nil)
        let bytes = try WorkerState(node: "node-b", writtenAt: 0).encoded()
        let memory = try SealedMemory.make("test", bytes)
        var message = ""
        do { _ = try StateHandOver.receive(memory, node: "node-a") } catch { message = "\(error)" }
        #expect(message.contains("'node-b'"))
        let garbage = try SealedMemory.make("test", [1, 2, 3])
        var isRefused = false
        do { _ = try StateHandOver.receive(garbage, node: "node-a") } catch { isRefused = true }
        #expect(isRefused)
    }

    @Test func `complains once about what does not work, and tries again`() {
        var complaints: [String] = []
        var tries = 0
        let desk = StateHandOver { () throws(AgentError) -> WorkerState? in
            tries += 1
            throw .unusable("too much")
        } send: { _ in
        } complain: {
            complaints.append($0)
        }
        for step in 0..<5 {
            desk.changed()
            desk.tick(at: .now + .seconds(2 * step))
        }
        #expect(tries == 5 && complaints.count == 1)
    }
}

/// A worker that keeps what it is told.
final class CollectingDelegate: CertificateManager.Delegate {
    private let authority: SigningAuthority?
    weak var manager: CertificateManager?
    var requests: [CertificateRequest] = []
    var ready: [SVID] = []
    var bundles: [TrustBundles] = []

    init(_ authority: SigningAuthority?) { self.authority = authority }

    func send(_ request: CertificateRequest) -> Bool {
        requests.append(request)
        return true
    }

    func answerAll() {
        guard let authority else { return }
        for request in requests { manager?.received(authority.answer(request, node: "node-a")) }
        requests = []
    }

    func certificateReady(_ svid: SVID) { ready.append(svid) }
    func certificateExpired(_ absence: CertificateAbsence) {}
    func certificateGone(_ identity: SPIFFEID) {}
    func bundlesChanged(_ bundles: TrustBundles) { self.bundles.append(bundles) }
    func renewalEnded(successfully isSuccess: Bool) {}
}

/// Numbers that are the same in every run.
private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 1
        return StableHash.mixed(state)
    }
}
