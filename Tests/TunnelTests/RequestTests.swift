import Mesh
import TestSupport
import Testing
import Tunnel

@Suite struct `An authority` {
    @Test(arguments: [
        ("10.0.0.1:80", "10.0.0.1:80"), ("[2001:DB8::1]:8080", "[2001:db8::1]:8080"),
        ("[::ffff:10.0.0.1]:80", "10.0.0.1:80"), ("web.shop.svc.cluster.local:80", "web.shop.svc.cluster.local:80"),
        ("WEB.Shop:1", "web.shop:1"), ("a:65535", "a:65535"), ("my_svc:80", "my_svc:80"),
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("10.0.0.1.example:80", "10.0.0.1.example:80"),
    ])
    func `is read in its three forms`(text: String, canonical: String) {
        #expect(Authority(parsing: text)?.description == canonical)
    }

    @Test(arguments: [
        "", ":", ":80", "10.0.0.1", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:00080", "10.0.0.1:080", "10.0.0.1:65536",
        "10.0.0.1:99999", "10.0.0.1:+80", "10.0.0.1:-1", "10.0.0.1:8 0", "10.0.0.1: 80", " 10.0.0.1:80", "10.0.0.1:80 ",
        "10.0.0.1:８0", "user@10.0.0.1:80", "user:pass@host:80", "http://10.0.0.1:80", "10.0.0.1:80/", "10.0.0.1:80?x",
        "[fe80::1%eth0]:80", "[fe80::1%25eth0]:80", "fe80::1:80", "::1:80", "[::1]", "[::1]:", "[::1]80", "[]:80",
        "[10.0.0.1]:80",
        "[::1]]:80", "[[::1]:80", "127.1:80", "127.0.0.1.:80", "0x7f000001:80", "2130706433:80", "0177.0.0.1:80",
        "10.0.0.256:80", "1.2.3.4.5:80", "host..name:80", ".host:80", "host.:80", "-host:80", "host-:80", "ho st:80",
        "h\u{0}st:80", "hóst:80", "ho%73t:80", "ho\tst:80", "host:80:80", "host,other:80", "*:80", "x.0x1:80",
    ])
    func `in any other spelling is refused`(text: String) {
        #expect(Authority(parsing: text) == nil)
    }

    @Test func `over the length of any name is refused`() {
        let label = String(repeating: "a", count: 63)
        #expect(Authority(parsing: "\(label):80") != nil)
        #expect(Authority(parsing: "\(label)a:80") == nil)
        let longest = [label, label, label, String(repeating: "b", count: 61)].joined(separator: ".")
        #expect(Authority(parsing: "\(longest):65535") != nil)
        #expect(Authority(parsing: "\(longest)b:65535") == nil)
        #expect(Authority(parsing: String(repeating: "a", count: 1 << 20)) == nil)
    }

    @Test func `survives random bytes, and what is read is read again from its own spelling`() {
        var generator = SeededGenerator(seed: 7)
        let alphabet = Array("0123456789abcf.:[]%@-_x/".utf8)
        for _ in 0..<100_000 {
            let count = Int.random(in: 0...24, using: &generator)
            let bytes = (0..<count).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] }
            let text = String(decoding: bytes, as: UTF8.self)
            guard let authority = Authority(parsing: text) else { continue }
            #expect(Authority(parsing: authority.description) == authority)
        }
    }
}

@Suite struct `A request's destination` {
    private func request(_ text: String) throws -> ConnectRequest {
        ConnectRequest(authority: try #require(Authority(parsing: text)))
    }

    @Test func `is the authority when that is the address the tunnel came in on`() throws {
        let destination = try request("10.0.0.2:8080").destination(local: ip("10.0.0.2"))
        #expect(destination.address == socketAddress("10.0.0.2:8080"))
        #expect(try request("[::ffff:10.0.0.2]:1").destination(local: ip("10.0.0.2")).address.port == 1)
    }

    @Test(arguments: [
        ("10.0.0.3:8080", Reason.destinationMismatch), ("127.0.0.1:80", .destinationMismatch),
        ("[::1]:80", .destinationMismatch), ("0.0.0.0:80", .destinationMismatch), ("web:80", .badAuthority),
        ("10.0.0.2:15008", .selfCall), ("10.0.0.2:15001", .selfCall), ("10.0.0.2:15006", .selfCall),
        ("10.0.0.2:15053", .selfCall),
    ])
    func `is refused otherwise, with the reason and 400`(text: String, reason: Reason) {
        #expect(throws: RequestRefusal(reason)) { try request(text).destination(local: ip("10.0.0.2")) }
        #expect(RequestRefusal(reason).status == 400)
    }

    @Test func `statuses are 401 for policy and 503 for a failed connect`() {
        #expect(RequestRefusal.status(for: .policyDeny) == 401)
        #expect(RequestRefusal.status(for: .upstreamRefused) == 503)
    }
}

@Suite struct `Hints` {
    @Test func `baggage is read back as it was written`() {
        var baggage = Baggage()
        baggage.cluster = "Kubernetes"
        baggage.namespace = "shop"
        baggage.owner = WorkloadOwner(kind: .deployment, name: "web")
        baggage.service = "naïve,=;\"% name"
        baggage.revision = "v1"
        baggage.region = "r"
        baggage.zone = "z"
        #expect(Baggage(parsing: baggage.text) == baggage)
        #expect(baggage.text.utf8.allSatisfy { (0x20...0x7e).contains($0) })
    }

    @Test func `baggage of others is read as it comes`() {
        let text = "k8s.cluster.name=c , k8s.namespace.name=n;prop=1,k8s.pod.name=p,,x,=y,service.name=,other=1"
        let baggage = Baggage(parsing: text)
        #expect(baggage.cluster == "c" && baggage.namespace == "n" && baggage.service == nil)
        #expect(baggage.owner == WorkloadOwner(kind: .pod, name: "p"))
    }

    @Test(arguments: [
        "k8s.namespace.name=%", "k8s.namespace.name=%4", "k8s.namespace.name=%zz", "k8s.namespace.name=%ff",
    ])
    func `malformed baggage is skipped`(text: String) {
        #expect(Baggage(parsing: text) == Baggage())
    }

    @Test func `over-long baggage is empty`() {
        #expect(Baggage(parsing: "k8s.namespace.name=n," + String(repeating: "a=b,", count: 4000)) == Baggage())
        #expect(Baggage(parsing: "k8s.namespace.name=" + String(repeating: "n", count: 254)).namespace == nil)
    }

    @Test func `traceparent is read back as it was written`() {
        let parent = TraceParent(
            traceID: 0x0af7651916cd43dd8448eb211c80319c, spanID: 0xb7ad6b7169203331, isSampled: true)
        #expect(parent.description == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        #expect(TraceParent(parent.description) == parent)
        #expect(TraceParent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what") == parent)
        #expect(parent.child(spanID: 0).description.hasSuffix("-0000000000000001-01"))
    }

    @Test(arguments: [
        "", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-011",
    ])
    func `an invalid traceparent is none`(text: String) {
        #expect(TraceParent(text) == nil)
    }

    @Test func `forwarded names the client's address and port or nothing`() {
        #expect(Forwarded("for=\"192.0.2.1:80\"")?.client == socketAddress("192.0.2.1:80"))
        #expect(Forwarded("For=\"[2001:db8::1]:80\";host=a.b, for=x")?.host == "a.b")
        for text in [
            "", "for=unknown", "for=192.0.2.1", "for", "by=1", "for=\"_hidden:80\"",
            String(repeating: "a", count: 2000),
        ] {
            #expect(Forwarded(text) == nil)
        }
    }
}
