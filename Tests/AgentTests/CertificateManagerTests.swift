import Identity
import Kernel
import Mesh
import TLS
import Testing
import XDS

@testable import Agent

/// Takes requests and results, and answers with what an authority of the test signs.
private final class FakeWorker: CertificateManager.Delegate {
    private let directory: TemporaryDirectory
    let authority: SigningAuthority
    var isReachable = true
    var now = WallClock.secondsSince1970
    var requests: [CertificateRequest] = []
    var ready: [SVID] = []
    var gone: [SPIFFEID] = []
    var absences: [CertificateAbsence] = []
    var bundles: [TrustBundles] = []
    var renewals: [Bool] = []

    init() throws {
        directory = try TemporaryDirectory()
        authority = try SigningAuthority(Samples.settings(authority: .init(directory: directory.path)))
        authority.identities = IdentitiesByNode(["node-a": [Samples.web, Samples.api]])
    }

    func send(_ request: CertificateRequest) -> Bool {
        if isReachable { requests.append(request) }
        return isReachable
    }

    func certificateReady(_ svid: SVID) { ready.append(svid) }
    func certificateExpired(_ absence: CertificateAbsence) { absences.append(absence) }
    func certificateGone(_ identity: SPIFFEID) { gone.append(identity) }
    func bundlesChanged(_ bundles: TrustBundles) { self.bundles.append(bundles) }
    func renewalEnded(successfully isSuccess: Bool) { renewals.append(isSuccess) }
}

@Suite struct `The manager of certificates` {
    private let worker: FakeWorker
    private let manager: CertificateManager

    init() throws {
        let worker = try FakeWorker()
        self.worker = worker
        manager = CertificateManager(trustDomain: Samples.trustDomain, delegate: worker) {
            ClockReading(secondsSince1970: worker.now, monotonic: .seconds(worker.now))
        }
    }

    private func advance(_ seconds: Int64) {
        worker.now += seconds
        manager.tick()
    }

    private func refusal(_ request: CertificateRequest, _ reason: String = "no pod here") -> CertificateResponse {
        CertificateResponse(id: request.id, outcome: .refused(reason))
    }

    @Test func `asks for what is wanted, and hands on what is issued with its roots`() throws {
        manager.want([Samples.web])
        let request = try #require(worker.requests.first)
        #expect(request.identity == Samples.web)
        #expect(manager.statuses.map(\.state) == [.unavailable])
        manager.received(worker.authority.answer(request, node: "node-a"))
        #expect(worker.ready.map(\.identity) == [Samples.web])
        #expect(worker.bundles.count == 1)
        #expect(worker.renewals == [true])
        #expect(manager.statuses.map(\.state) == [.valid])
        advance(1)
        #expect(worker.requests.count == 1)
    }

    @Test func `asks for each identity with a key of its own, and tells roots once`() throws {
        manager.want([Samples.web, Samples.api])
        #expect(Set(worker.requests.map(\.identity)) == [Samples.web, Samples.api])
        for request in worker.requests { manager.received(worker.authority.answer(request, node: "node-a")) }
        let ders = try worker.ready.map { try $0.key.der() }
        #expect(Set(ders).count == 2)
        #expect(worker.bundles.count == 1)
    }

    @Test func `renews past half of the life, and keeps what it has meanwhile`() throws {
        manager.want([Samples.web])
        manager.received(worker.authority.answer(try #require(worker.requests.last), node: "node-a"))
        // Issued for a day: renewal is due after 45 to 55 percent of it.
        advance(10 * 3600)
        #expect(worker.requests.count == 1)
        advance(4 * 3600)
        #expect(worker.requests.count == 2)
        #expect(manager.statuses.map(\.state) == [.renewing])
        #expect(worker.gone.isEmpty)
    }

    @Test func `backs off after a refusal and says why`() throws {
        manager.want([Samples.web])
        manager.received(refusal(try #require(worker.requests.last)))
        #expect(worker.renewals == [false])
        #expect(manager.statuses.map(\.lastError) == ["no pod here"])
        manager.tick()
        #expect(worker.requests.count == 1, "asked again at once")
        advance(1)
        #expect(worker.requests.count == 2)
        for _ in 0..<8 {
            manager.received(refusal(try #require(worker.requests.last)))
            advance(30)
        }
        let before = worker.requests.count
        manager.received(refusal(try #require(worker.requests.last)))
        advance(10)
        #expect(worker.requests.count == before, "the back-off does not grow")
        advance(20)
        #expect(worker.requests.count == before + 1)
        manager.received(worker.authority.answer(try #require(worker.requests.last), node: "node-a"))
        #expect(manager.statuses.map(\.lastError) == [nil])
    }

    @Test func `tries again when nobody could be asked`() {
        worker.isReachable = false
        manager.want([Samples.web])
        #expect(manager.statuses.map(\.lastError) == ["the controller cannot be reached"])
        worker.isReachable = true
        advance(1)
        #expect(worker.requests.count == 1)
    }

    @Test func `asks again after the controller was lost, and ignores its late answer`() throws {
        manager.want([Samples.web])
        let lost = try #require(worker.requests.last)
        manager.controllerLost("it ended")
        #expect(manager.statuses.first?.lastError?.contains("it ended") == true)
        manager.received(worker.authority.answer(lost, node: "node-a"))
        #expect(worker.ready.isEmpty)
        #expect(worker.bundles.isEmpty)
        #expect(worker.renewals == [false])
        advance(1)
        #expect(worker.requests.count == 2)
        #expect(worker.requests.last?.id != lost.id)
        manager.received(worker.authority.answer(try #require(worker.requests.last), node: "node-a"))
        #expect(worker.ready.count == 1)
    }

    @Test func `takes no certificate that is for somebody else`() throws {
        manager.want([Samples.web, Samples.api])
        let web = try #require(worker.requests.first { $0.identity == Samples.web })
        let api = try #require(worker.requests.first { $0.identity == Samples.api })
        manager.received(CertificateResponse(id: web.id, outcome: worker.authority.answer(api, node: "node-a").outcome))
        #expect(worker.ready.isEmpty)
        #expect(worker.renewals == [false])
    }

    @Test(arguments: [[], ["junk"], ["junk", "junk"]])
    func `takes no answer that holds no certificate`(chain: [String]) throws {
        manager.want([Samples.web])
        manager.received(
            CertificateResponse(id: try #require(worker.requests.last).id, outcome: .issued(chainPEM: chain)))
        #expect(worker.ready.isEmpty)
        #expect(worker.bundles.isEmpty)
        #expect(manager.statuses.first?.lastError?.contains("cannot be used") == true)
    }

    @Test func `says that one expired which nobody renewed`() throws {
        manager.want([Samples.web])
        manager.received(worker.authority.answer(try #require(worker.requests.last), node: "node-a"))
        worker.isReachable = false
        advance(25 * 3600)
        #expect(worker.absences.last?.reason == .certificateExpired)
        #expect(worker.absences.last?.cause?.contains("the controller cannot be reached") == true)
        #expect(manager.expired == [Samples.web])
        #expect(manager.statuses.map(\.state) == [.unavailable])
        manager.want([])
        #expect(manager.expired.isEmpty)
    }

    @Test func `takes no certificate that has expired already`() throws {
        manager.want([Samples.web])
        // The authority signs by the wall clock, which is a day behind.
        worker.now += 25 * 3600
        manager.received(worker.authority.answer(try #require(worker.requests.last), node: "node-a"))
        #expect(worker.ready.isEmpty)
        #expect(manager.statuses.first?.lastError?.contains("the clock is off by about") == true)
    }

    @Test func `forgets what no pod needs any more`() throws {
        manager.want([Samples.web])
        manager.received(worker.authority.answer(try #require(worker.requests.last), node: "node-a"))
        manager.want([])
        #expect(worker.gone == [Samples.web])
        #expect(manager.statuses.isEmpty)
        #expect(manager.expired.isEmpty)
    }
}
