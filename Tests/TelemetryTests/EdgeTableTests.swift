import Addressing
import Mesh
import Telemetry
import TestSupport
import Testing

@Suite struct `The table of who talks to whom` {
    @Test func `has one row for all pods of two deployments`() throws {
        let table = EdgeTable()
        for name in ["web-1", "web-2"] {
            let handle = table.opened(record(source: pod(name, of: "web")))
            handle.carried(fromClient: 100, fromServer: 7, at: 1_795_356_200)
            if name == "web-1" { handle.closed(at: 1_795_356_201) }
        }
        let edge = try #require(table.edges.first)
        #expect(table.count == 1)
        #expect(edge.key.source == Edge.End(workload: "web", namespace: "shop"))
        #expect(edge.key.destination == Edge.End(workload: "api", namespace: "pay"))
        #expect(edge.key.service == NamespacedName(namespace: "pay", name: "api"))
        #expect(edge.sourceIdentity == pod("web-1", of: "web").identity)
        #expect(edge.openedCount == 2)
        #expect(edge.openCount == 1)
        #expect(edge.bytesFromClient == 200)
        #expect(edge.bytesFromServer == 14)
        #expect(edge.security == .mutualTLS)
        #expect(edge.firstSeen == 1_795_356_130)
        #expect(edge.lastSeen == 1_795_356_201)
    }

    @Test func `says why a connection was not secured`() throws {
        let table = EdgeTable()
        var passed = record(destination: nil, security: .plaintext)
        passed.passthroughReason = .unknownDestination
        _ = table.opened(passed)
        let edge = try #require(table.edges.first)
        #expect(edge.security == .plaintext)
        #expect(edge.plaintextCause == .unknownDestination)
        #expect(edge.key.destination.address == ip("10.0.0.2"))
        #expect(edge.key.destination.workload.isEmpty)
    }

    @Test func `counts refusals by reason, and takes none for an opened connection`() throws {
        let table = EdgeTable()
        for reason in [Reason.policyDeny, .policyDeny, .upstreamRefused] {
            var refused = record(.inbound, reason: reason)
            refused.policy = reason == .policyDeny ? NamespacedName(namespace: "pay", name: "no") : nil
            table.refused(refused)
        }
        table.refused(record(.inbound))
        let edge = try #require(table.edges.first)
        #expect(edge.refusals == [.policyDeny: 2, .upstreamRefused: 1])
        #expect(edge.refusedCount == 3)
        #expect(edge.openedCount == 0)
        #expect(edge.security == .unknown)
    }

    @Test func `lets the least recently seen go, and those with open connections last`() {
        let table = EdgeTable(capacity: 16)
        func opened(_ number: Int, at second: Int64) -> EdgeHandle {
            var record = record(source: pod("p", of: "source-\(number)"))
            record.openedAt.secondsSince1970 = second
            return table.opened(record)
        }
        let oldest = opened(0, at: 1)
        for number in 1..<16 { opened(number, at: Int64(10 + number)).closed(at: Int64(10 + number)) }
        #expect(table.count == 16)
        opened(16, at: 100).closed(at: 100)
        let left = Set(table.edges.map(\.key.source.workload))
        #expect(left.count == 16)
        #expect(left.contains("source-0"))
        #expect(!left.contains("source-1"))
        // One that has left may still count; nobody sees it.
        oldest.closed(at: 101)
        table.forget(before: 100)
        #expect(Set(table.edges.map(\.key.source.workload)) == ["source-0", "source-16"])
    }

    @Test func `counts another connection by the handle of the first, as long as the edge is listed`() throws {
        let table = EdgeTable()
        let handle = table.opened(record())
        #expect(handle.openedAgain(.mutualTLS, at: 1_795_356_140))
        let edge = try #require(table.edges.first)
        #expect(edge.openedCount == 2 && edge.openCount == 2)
        #expect(edge.lastSeen == 1_795_356_140)
        for _ in 0..<2 { handle.closed(at: 1_795_356_150) }
        table.forget(before: 1_795_356_151)
        #expect(!handle.openedAgain(.mutualTLS, at: 1_795_356_160))
        #expect(table.edges.isEmpty)
    }
}

@Suite struct `The ring of decisions` {
    @Test func `keeps the latest, bounded`() {
        let ring = FlowRing(capacity: 3)
        for port in 1...5 {
            ring.append(
                Flow(
                    facts: ConnectionFacts(
                        source: nil, sourceAddress: ip("10.0.0.1"), destinationAddress: ip("10.0.0.2"),
                        destinationPort: UInt16(port)),
                    destination: WorkloadUID("api"), reason: port == 5 ? .policyDeny : nil, secondsSince1970: 0))
        }
        #expect(ring.latest.map(\.facts.destinationPort) == [5, 4, 3])
        #expect(ring.latest.first?.reason == .policyDeny)
    }
}
