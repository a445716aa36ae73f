import Testing

@testable import CNI

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

/// The answer that is given at once; nil if the agent is asked.
private func atOnce(_ invocation: PluginInvocation) -> PluginAnswer? {
    if case .answer(let answer) = PluginCourse(invocation) { return answer }
    return nil
}

/// What is answered if there is no agent; nil if it is not asked.
private func away(_ invocation: PluginInvocation) -> PluginAnswer? {
    if case .ask(_, _, _, let answer) = PluginCourse(invocation) { return answer }
    return nil
}

private func code(_ answer: PluginAnswer?) throws -> JSONValue? {
    try JSONReader.read(try #require(answer).output)["code"]
}

@Suite struct PluginCourseTests {
    @Test func `VERSION is answered without the agent, in the version that was asked in`() throws {
        for (input, version) in [
            (#"{"cniVersion":"0.4.0"}"#, "0.4.0"), (#"{"cniVersion":"9.9.9"}"#, "1.1.0"), ("", "1.1.0"), ("[", "1.1.0"),
        ] {
            let answer = try #require(atOnce(PluginInvocation(command: "VERSION", configuration: Array(input.utf8))))
            #expect(answer.exitStatus == 0)
            let value = try JSONReader.read(answer.output)
            #expect(value["cniVersion"]?.text == version)
            #expect(
                value["supportedVersions"]?.elements?.compactMap(\.text)
                    == ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
        }
    }

    @Test func `the agent is asked with everything, for a bounded time`() throws {
        guard case .ask(let socket, let frame, let limit, _) = PluginCourse(call("ADD")) else {
            Issue.record("not asked")
            return
        }
        #expect(socket == "/run/meshnode/cni.sock")
        #expect(limit == .seconds(10))
        guard case .complete(let again) = PluginFrame.readInvocation(frame) else {
            Issue.record("the frame is no frame")
            return
        }
        #expect(again == call("ADD"))
    }

    @Test(arguments: PluginConfiguration.usualExcludedNamespaces.sorted())
    func `the pods of the cluster and of the agent itself start without asking`(namespace: String) throws {
        let arguments = "K8S_POD_NAMESPACE=\(namespace);K8S_POD_NAME=agent"
        let answer = try #require(atOnce(call("ADD", arguments: arguments)))
        #expect(answer == PluginAnswer(output: Array(bridgeResult.utf8), exitStatus: 0))
        #expect(atOnce(call("DEL", arguments: arguments)) == .success)
        #expect(atOnce(call("CHECK", arguments: arguments)) == .success)
    }

    @Test func `a container that is no pod starts without asking`() {
        #expect(atOnce(call("ADD", arguments: ""))?.output == Array(bridgeResult.utf8))
    }

    @Test func `the configuration decides whose pods start without asking`() {
        #expect(atOnce(call("ADD", more: #","excludedNamespaces":["shop"]"#)) != nil)
        let system = "K8S_POD_NAMESPACE=kube-system;K8S_POD_NAME=dns"
        #expect(atOnce(call("ADD", more: #","excludedNamespaces":[]"#, arguments: system)) == nil)
    }

    @Test func `without an agent a pod does not start, and is to be tried again`() throws {
        let answer = try #require(away(call("ADD", version: "0.4.0")))
        #expect(answer.exitStatus == 1)
        let value = try JSONReader.read(answer.output)
        #expect(value["code"] == .number("11"))
        #expect(value["cniVersion"]?.text == "0.4.0")
        #expect(value["msg"]?.text?.contains("pod shop/web cannot start now") == true)
        #expect(value["msg"]?.text?.contains("/run/meshnode/cni.sock") == true)
        #expect(value["details"]?.text?.isEmpty == false)
    }

    @Test func `without an agent a DEL and a GC succeed, a CHECK and STATUS do not`() throws {
        #expect(away(call("DEL")) == .success)
        #expect(away(call("GC", more: #","cni.dev/valid-attachments":[]"#)) == .success)
        #expect(try code(away(call("CHECK"))) == .number("11"))
        #expect(try code(away(call("STATUS"))) == .number("50"))
    }

    @Test func `what is wrong is refused without asking, in the version of the call if it has one`() throws {
        let odd = try JSONReader.read(try #require(atOnce(call("UPDATE", version: "1.0.0"))).output)
        #expect(odd["code"] == .number("4"))
        #expect(odd["cniVersion"]?.text == "1.0.0")
        #expect(try code(atOnce(call("ADD", version: "7.0.0"))) == .number("1"))
        #expect(try code(atOnce(PluginInvocation(command: "ADD", configuration: [0x7b]))) == .number("6"))
        #expect(try code(atOnce(call("ADD", result: nil))) == .number("7"))
        let long = call("ADD", arguments: "K8S_POD_NAMESPACE=a;K8S_POD_NAME=b;X=\(String(repeating: "x", count: 5000))")
        #expect(try code(atOnce(long)) == .number("4"))
    }

    @Test func `an ADD that succeeds passes on the result before it, byte for byte`() throws {
        let request = try PluginRequest(call("ADD"))
        #expect(PluginAnswer.success(of: request).output == Array(bridgeResult.utf8))
        #expect(PluginAnswer.success(of: try PluginRequest(call("CHECK"))) == .success)
    }
}

@Suite struct PluginFrameTests {
    @Test func `a frame is incomplete until its last byte`() throws {
        let frame = try PluginFrame.encode(call("ADD"))
        for count in 0..<frame.count {
            guard case .incomplete = PluginFrame.readInvocation(Array(frame.prefix(count))) else {
                Issue.record("\(count) bytes are taken for a frame")
                return
            }
        }
        guard case .malformed = PluginFrame.readInvocation(frame + [0]) else {
            Issue.record("bytes behind the frame")
            return
        }
    }

    @Test func `an answer is what was sent`() {
        let answer = PluginAnswer.failure(PluginError(.tryAgainLater, "later", details: "see \"why\""))
        guard case .complete(let again) = PluginFrame.readAnswer(PluginFrame.encode(answer)) else {
            Issue.record("no answer")
            return
        }
        #expect(again == answer)
        #expect(text(again.output) == #"{"cniVersion":"1.1.0","code":11,"msg":"later","details":"see \"why\""}"#)
    }

    @Test func `the one way's frame is none on the other`() throws {
        guard case .malformed = PluginFrame.readAnswer(try PluginFrame.encode(call("ADD"))),
            case .malformed = PluginFrame.readInvocation(PluginFrame.encode(.success))
        else {
            Issue.record("taken")
            return
        }
    }

    @Test func `a length out of bounds is refused before its bytes come`() {
        for length: [UInt8] in [[0, 0, 0, 7], [0, 0, 0, 0], [0x7f, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0xff]] {
            guard case .malformed = PluginFrame.readInvocation(Array("MNQ1".utf8) + length) else {
                Issue.record("\(length)")
                return
            }
        }
    }

    @Test func `frames changed at random are read or refused, and never trap`() throws {
        let seed = try PluginFrame.encode(call("ADD"))
        var numbers = SeededNumbers(state: 42)
        var complete = 0
        for _ in 0..<20_000 {
            var bytes = seed
            for _ in 0...Int.random(in: 0..<4, using: &numbers) {
                // Most changes in the head, where the lengths are.
                let end = Bool.random(using: &numbers) ? 40 : bytes.count
                bytes[Int.random(in: 0..<end, using: &numbers)] = UInt8.random(in: 0...255, using: &numbers)
            }
            if Int.random(in: 0..<8, using: &numbers) == 0 {
                bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &numbers)))
            }
            guard case .complete(let invocation) = PluginFrame.readInvocation(bytes) else { continue }
            complete += 1
            _ = PluginCourse(invocation)
        }
        #expect(complete > 500 && complete < 19_500)
    }
}
