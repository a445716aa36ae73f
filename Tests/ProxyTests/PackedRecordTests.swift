import Addressing
import Mesh
import Telemetry
import Testing

@testable import Proxy

@Suite struct `The record of an open connection` {
    private let moment = Moment(instant: .now, secondsSince1970: 1_800_000_000)

    private func record(id: UInt64, port: UInt16, to application: UInt16 = 8080) throws -> ConnectionRecord {
        let client = try #require(SocketAddress("10.0.0.1:\(port)"))
        let server = try #require(SocketAddress("10.0.0.2:\(application)"))
        var record = ConnectionRecord(
            id: id, direction: .inbound, security: .mutualTLS,
            source: PeerFacts(address: client, names: PeerNames(name: "web", namespace: "shop")),
            destination: PeerFacts(address: server, names: PeerNames(name: "api", namespace: "pay")), openedAt: moment)
        record.snapshotVersion = id * 3
        record.policy = NamespacedName(namespace: "pay", name: "from-shop")
        record.facts = ConnectionFacts(
            source: nil, sourceAddress: client.ip, destinationAddress: server.ip, destinationPort: application)
        return record
    }

    @Test func `comes out of its packing as it went in`() throws {
        let patterns = RecordPatterns()
        for (id, port, application) in [(1, 1000, 80), (2, 1001, 80), (3, 1000, 81), (4, 65_535, 80)] {
            let record = try record(id: UInt64(id), port: UInt16(port), to: UInt16(application))
            #expect(PackedRecord(RecordBox(record), sharing: patterns).record == record)
        }
    }

    @Test func `without a client's address stays without one`() throws {
        var record = try record(id: 1, port: 1000)
        record.source.address = nil
        #expect(PackedRecord(RecordBox(record), sharing: RecordPatterns()).record == record)
    }

    @Test func `keeps its own place when others of its kind come and go`() throws {
        let patterns = RecordPatterns()
        let records = try (1...300).map { try record(id: UInt64($0), port: 2000, to: UInt16($0)) }
        let packed = records.map { PackedRecord(RecordBox($0), sharing: patterns) }
        #expect(packed.map(\.record) == records)
    }

    @Test func `is shared but for what is its own`() throws {
        let patterns = RecordPatterns()
        let boxes = try (1...3).map { RecordBox(try record(id: $0, port: UInt16(1000 + $0))) }
        let packed = boxes.map { PackedRecord($0, sharing: patterns) }
        #expect(packed.allSatisfy { $0.sharesPattern(with: packed[0]) })
        let other = PackedRecord(RecordBox(try record(id: 9, port: 1001, to: 9)), sharing: patterns)
        #expect(!other.sharesPattern(with: packed[0]))
    }

    @Test func `changed after it was packed leaves its kin as they are`() throws {
        let patterns = RecordPatterns()
        let packed = PackedRecord(RecordBox(try record(id: 1, port: 1000)), sharing: patterns)
        let box = RecordBox(packed.record)
        box.change { $0.reason = .drain }
        #expect(packed.record.reason == nil && box.record.reason == .drain)
    }
}
