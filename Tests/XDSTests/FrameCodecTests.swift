import Mesh
import Testing

@testable import XDS

@Suite struct `Frames of the local channel` {
    private var messages: [ChannelMessage] {
        var request = DeltaRequest()
        request.typeURL = "t"
        request.initialResourceVersions = ["a": "1"]
        request.errorDetail.message = "why"
        var response = DeltaResponse()
        response.removedResources = ["gone"]
        let identity = Samples.identity("spiffe://td/ns/a/sa/b")
        let report = ControllerReport(
            snapshotVersion: "7",
            problems: [
                .init(file: "a.yaml", line: 3, field: "spec", reason: "no", severity: .error, object: "Pod a/b"),
                .init(file: "b.yaml", reason: "odd", severity: .warning),
            ]
                + ControllerReport.Problem.Topic.allCases.map {
                    .init(file: "c.yaml", reason: "odd", severity: .warning, topic: $0)
                },
            authority: [
                .init(role: .root, subject: "root", serial: "0a", notBefore: 1, notAfter: 2),
                .init(role: .issuer, subject: "issuer", serial: "0b", notBefore: 3, notAfter: 4),
            ], trustBundlePEM: "roots", revokedSerials: ["0c", "0d"])
        return [
            .discoveryRequest(request), .discoveryResponse(response),
            .certificateRequest(
                CertificateRequest(id: .max, signingRequestPEM: "csr", identity: identity, lifetimeInSeconds: 60)),
            .certificateResponse(CertificateResponse(id: 2, outcome: .issued(chainPEM: ["leaf", "root"]))),
            .certificateResponse(CertificateResponse(id: 3, outcome: .refused("not on this node"))),
            .controllerReport(report), .controllerReport(ControllerReport()),
        ] + Self.nodeMessages
    }

    /// What travels between the controller of a node and that of the mesh.
    private static var nodeMessages: [ChannelMessage] {
        let report = NodeReport(node: "n1", takenAt: -1, json: [0, 0xff, 0x7b])
        return [
            .nodeReport(report), .nodeReport(NodeReport(node: "", takenAt: .max, json: [])),
            .meshReportRequest(id: 0), .meshReportRequest(id: .max),
            .meshReport(
                MeshReport(
                    id: 7,
                    nodes: [
                        .init(report: report, ageInMilliseconds: 15_000, isConnected: true),
                        .init(report: report, ageInMilliseconds: .max, isConnected: false),
                    ], controllerJSON: [0x7b, 0x7d])),
            .podWishes(NodeWishes()),
            .podWishes(NodeWishes(pods: [Samples.pod, EnrolledPod(uid: WorkloadUID("u"), namespace: "a", name: "b")])),
            .podQuestion(PodQuestion(id: 1, namespace: "a", name: "b", uid: "u-1")),
            .podVerdict(PodVerdict(id: 1, outcome: .capture(Samples.pod))),
            .podVerdict(PodVerdict(id: 2, outcome: .leave(reason: "not enrolled"))),
            .podVerdict(PodVerdict(id: 3, outcome: .unknown(reason: "not seen"))),
        ]
    }

    @Test func `carry every message unchanged, however the stream is cut`() throws {
        let stream = try messages.flatMap { try FrameCodec.frame($0) }
        for size in [1, 2, 3, 7, 64, stream.count] {
            var decoder = FrameDecoder()
            var received: [ChannelMessage] = []
            for start in stride(from: 0, to: stream.count, by: size) {
                decoder.received(stream[start..<min(start + size, stream.count)])
                while let message = try decoder.next() { received.append(message) }
            }
            #expect(received == messages)
            #expect(decoder.bufferedByteCount == 0)
        }
        for cut in 0...stream.count {
            var decoder = FrameDecoder()
            var received: [ChannelMessage] = []
            for part in [stream[..<cut], stream[cut...]] {
                decoder.received(part)
                while let message = try decoder.next() { received.append(message) }
            }
            #expect(received == messages)
        }
    }

    @Test func `begin with the length in network order`() throws {
        let frame = try FrameCodec.frame(messages[0])
        #expect(Int(frame[3]) == frame.count - 4 && frame[0] == 0 && frame[1] == 0 && frame[2] == 0)
    }

    @Test(arguments: [[0x04, 0x00, 0x00, 0x01], [0xff, 0xff, 0xff, 0xff], [0x80, 0, 0, 0]] as [[UInt8]])
    func `that announce more than 64 MiB are refused at once`(header: [UInt8]) {
        var decoder = FrameDecoder()
        decoder.received(header)
        var code: XDSError.Code?
        do throws(XDSError) { _ = try decoder.next() } catch { code = error.code }
        #expect(code == .frameTooLong)
    }

    @Test func `with a report of more than 1 MiB are neither sent nor taken`() throws {
        let longest = NodeReport(node: "n", takenAt: 0, json: Array(repeating: 0x20, count: NodeReport.maximumLength))
        var decoder = FrameDecoder()
        decoder.received(try FrameCodec.frame(.nodeReport(longest)))
        #expect(try decoder.next() == .nodeReport(longest))
        var longer = longest
        longer.json.append(0x20)
        #expect { try FrameCodec.frame(.nodeReport(longer)) } throws: { ($0 as? XDSError)?.code == .notRepresentable }
        var envelope = Meshnode_Wire_Envelope()
        envelope.nodeReport.json = .init(longer.json)
        #expect { try ChannelMessage(envelope) } throws: { ($0 as? XDSError)?.code == .malformedMessage }
    }

    @Test func `with a pod that cannot be are refused`() throws {
        let changes: [(inout Meshnode_Wire_EnrolledPod) -> Void] = [
            { $0.uid = "" }, { $0.namespace = "" }, { $0.name = "a/b" }, { $0.addresses = [.init([1, 2, 3])] },
            { $0.excludedInboundPorts = [0] }, { $0.excludedInboundPorts = [65536] },
            { $0.excludedOutboundPorts = [65536] }, { $0.excludedOutboundPrefixes[0].length = 33 },
            { $0.excludedOutboundPrefixes[0].address = .init() },
        ]
        for change in changes {
            var envelope = try ChannelMessage.podWishes(NodeWishes(pods: [Samples.pod])).envelope
            change(&envelope.podWishes.pods[0])
            #expect { try ChannelMessage(envelope) } throws: { ($0 as? XDSError)?.code == .invalidResource }
        }
    }

    @Test func `of exactly 64 MiB are waited for`() throws {
        var decoder = FrameDecoder()
        decoder.received([0x04, 0, 0, 0] as [UInt8])
        #expect(try decoder.next() == nil)
        #expect(decoder.bufferedByteCount == 4)
    }

    @Test func `that are too long to be sent are refused`() {
        let request = CertificateRequest(
            id: 1, signingRequestPEM: String(repeating: "x", count: FrameCodec.maximumLength),
            identity: Samples.identity("spiffe://td/ns/a/sa/b"))
        #expect { try FrameCodec.frame(.certificateRequest(request)) } throws: {
            ($0 as? XDSError)?.code == .frameTooLong
        }
    }

    @Test(
        arguments: [[], [0xff], [0x08, 0x01], [0x1a, 0x00], [0x1a, 0x02, 0x08, 0x05], [0x22, 0x02, 0x08, 0x05]]
            as [[UInt8]])
    func `with something else inside are refused`(content: [UInt8]) {
        var decoder = FrameDecoder()
        decoder.received([0, 0, 0, UInt8(content.count)] + content)
        var code: XDSError.Code?
        do throws(XDSError) { _ = try decoder.next() } catch { code = error.code }
        #expect(code == .malformedMessage)
    }

    @Test func `never trap, whatever bytes they are made of`() throws {
        var generator = SeededGenerator(state: 3)
        let stream = try messages.flatMap { try FrameCodec.frame($0) }
        for _ in 0..<2000 {
            var mutant = stream
            for _ in 0...2 {
                let index = Int.random(in: 0..<mutant.count, using: &generator)
                mutant[index] = UInt8.random(in: .min ... .max, using: &generator)
            }
            var decoder = FrameDecoder()
            decoder.received(mutant)
            do throws(XDSError) { while try decoder.next() != nil {} } catch {}
        }
    }
}
