import Addressing
import Foundation
import Mesh
import Synchronization
import Telemetry
import TestSupport
import Testing

@Suite struct `The access log` {
    let text = AccessLog(format: .text)
    let json = AccessLog(format: .json)

    @Test func `tells of a closed connection in text`() {
        #expect(
            text.line(for: record())
                == #"time=2026-11-22T14:02:11Z level=info scope=access id=7 "#
                + #"src.addr=10.0.0.1:40000 src.workload="web-1" "#
                + #"src.namespace="shop" src.identity="spiffe://cluster.local/ns/shop/sa/web" dst.addr=10.0.0.2:8080 "#
                + #"dst.hbone_addr=10.0.0.2:15008 dst.service="api.pay.svc.cluster.local" dst.workload="api-1" "#
                + #"dst.namespace="pay" dst.identity="spiffe://cluster.local/ns/pay/sa/api" direction=outbound "#
                + #"security=mutual_tls bytes_sent=2048 bytes_recv=100 duration=1250ms"#)
    }

    @Test func `tells of a refusal in JSON`() throws {
        var refused = record(.inbound, security: .plaintext, reason: .policyDeny, detail: "denied")
        refused.policy = NamespacedName(namespace: "pay", name: "no")
        let object = try #require(
            JSONSerialization.jsonObject(with: Data(json.line(for: refused).utf8)) as? [String: Any])
        #expect(object["reason"] as? String == "POLICY_DENY")
        #expect(object["policy"] as? String == "pay/no")
        #expect(object["level"] as? String == "warn")
        #expect(object["error"] as? String == "denied")
        #expect(object["bytes_sent"] as? Int == 2048)
        #expect(object["src.identity"] == nil)
        #expect(object["direction"] as? String == "inbound")
    }

    @Test func `says why a connection went around the mesh`() {
        var passed = record(security: .plaintext)
        passed.passthroughReason = .notEnrolled
        #expect(text.line(for: passed).contains(" passthrough=NOT_ENROLLED"))
    }

    @Test func `names the policies that audit it and those that would decide otherwise`() {
        var audited = record(.inbound)
        func name(_ name: String) -> NamespacedName { NamespacedName(namespace: "pay", name: name) }
        audited.audited = [name("watch"), name("all")]
        audited.dryRun = [
            DryRunOutcome(policy: name("no"), effect: .wouldDeny),
            DryRunOutcome(policy: name("yes"), effect: .wouldAllow),
        ]
        let line = text.line(for: audited)
        #expect(line.contains(#" audited="pay/watch,pay/all" would_deny="pay/no" would_allow="pay/yes""#))
    }

    static let hostile = [
        "line\nbreak", "carriage\rreturn", "tab\there", "nul\0", "escape \u{1b}[2J\u{1b}]0;title\u{7}", "quote\" x=\"y",
        "back\\slash", "c1 \u{9b}31m \u{85}", "right-to-left \u{202e}gnp", "separator \u{2028}\u{2029}",
        "del\u{7f}", "tag \u{e0041}", "\r\n", "é 漢 \u{1f600}", "",
    ]

    @Test(arguments: hostile)
    func `stays one line, whatever strangers write`(stranger: String) throws {
        var hostile = record(reason: .badAuthority, detail: stranger)
        hostile.hostname = stranger
        hostile.source = PeerFacts(names: PeerNames(name: stranger))
        hostile.destination = PeerFacts(names: PeerNames(namespace: stranger))
        for line in [text.line(for: hostile), json.line(for: hostile)] {
            #expect(
                !line.unicodeScalars.contains { scalar in
                    scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
                        || [0x2028, 0x2029, 0x202e, 0xe0041].contains(scalar.value)
                })
        }
        let object = try #require(
            JSONSerialization.jsonObject(with: Data(json.line(for: hostile).utf8)) as? [String: Any])
        // What is left out is nil, what is escaped reads back as it was.
        #expect((object["error"] as? String ?? "").unicodeScalars.elementsEqual(stranger.unicodeScalars))
    }

    @Test func `cannot be given a field by a value`() {
        let line = text.line(for: record(reason: .badAuthority, detail: "x\" reason=\"NONE"))
        #expect(line.hasSuffix(#"reason=BAD_AUTHORITY error="x\" reason=\"NONE""#))
    }

    @Test(
        arguments: [
            ([0x61, 0xff, 0x62], #"a\xffb"#), ([0xc3, 0xa9], "é"), ([0xc3], #"\xc3"#),
            ([0xe2, 0x82, 0x41], #"\xe2\x82A"#),
            ([0xed, 0xa0, 0x80], #"\xed\xa0\x80"#), ([0xc0, 0x80], #"\xc0\x80"#),
            ([0xf0, 0x9f, 0x98, 0x80, 0x80], "\u{1f600}\\x80"),
            ([], ""),
        ] as [([UInt8], String)])
    func `shows bytes that are no text`(bytes: [UInt8], expected: String) {
        #expect(LogText.text(of: bytes) == expected)
    }

    @Test func `escapes any bytes into valid JSON`() throws {
        for byte in UInt8.min...UInt8.max {
            let literal = LogText.json(LogText.text(of: [0x61, byte, byte]))
            _ = try JSONSerialization.jsonObject(with: Data("[\(literal)]".utf8))
        }
    }

    @Test func `says how many lines were dropped`() {
        #expect(String(decoding: text.lines(for: [], dropped: 3), as: UTF8.self) == "scope=access dropped=3\n")
        let line = String(decoding: json.lines(for: [], dropped: 3), as: UTF8.self)
        #expect(line == "{\"scope\":\"access\",\"dropped\":3}\n")
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"), (1_709_251_199, "2024-02-29T23:59:59Z"),
            (-1, "1969-12-31T23:59:59Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] as [(Int64, String)])
    func `writes the time as RFC 3339`(seconds: Int64, expected: String) {
        #expect(Timestamp.text(secondsSince1970: seconds) == expected)
    }
}

@Suite struct `The access log's ring` {
    @Test func `wakes its writer once for what waits`() {
        let wakes = Atomic(0)
        withoutActuallyEscaping({ @Sendable in _ = wakes.wrappingAdd(1, ordering: .relaxed) }) { wake in
            let ring = AccessLogRing(capacity: 10, wakeWriter: wake)
            for id in 0..<3 { ring.append(record(id: UInt64(id))) }
            #expect(wakes.load(ordering: .relaxed) == 1)
            #expect(ring.drain().records.map(\.id) == [0, 1, 2])
            #expect(ring.drain().records.isEmpty)
            ring.append(record())
            #expect(wakes.load(ordering: .relaxed) == 2)
        }
    }

    @Test func `drops and counts what does not fit`() {
        let ring = AccessLogRing(capacity: 2, wakeWriter: {})
        for id in 0..<5 { ring.append(record(id: UInt64(id))) }
        let batch = ring.drain()
        #expect(batch.records.map(\.id) == [0, 1])
        #expect(batch.dropped == 3)
        #expect(ring.dropped == 3)
        ring.append(record(id: 9))
        #expect(ring.drain().dropped == 0)
    }

    @Test func `of refusals keeps the latest`() {
        let ring = RefusalRing(capacity: 3)
        ring.append(record(id: 100))
        #expect(ring.latest.isEmpty)
        for id in 1...5 { ring.append(record(id: UInt64(id), reason: .policyDeny)) }
        #expect(ring.latest.map(\.id) == [5, 4, 3])
        #expect(ring.record(id: 4)?.id == 4)
        #expect(ring.record(id: 1) == nil)
    }
}
