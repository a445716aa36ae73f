import Addressing
import Mesh
import Telemetry
import TestSupport
import Testing

@testable import Proxy

@Suite struct `What the policies said before` {
    private func facts(_ port: Int) -> ConnectionFacts {
        ConnectionFacts(
            source: nil, sourceAddress: ip("10.0.0.1"), destinationAddress: ip("10.0.0.2"),
            destinationPort: UInt16(port))
    }

    private func judgement() -> Judgement {
        Judgement(verdict: Authorizer.decide(facts(1), policies: []), counters: [])
    }

    @Test func `holds for connections of the same kind, until it is forgotten`() {
        var judgements = Judgements()
        var asked = 0
        func ask(_ port: Int) {
            _ = judgements.judgement(on: facts(port)) {
                asked += 1
                return judgement()
            }
        }
        ask(80)
        ask(80)
        #expect(asked == 1)
        ask(81)
        #expect(asked == 2)
        judgements.forget()
        ask(80)
        #expect(asked == 3)
    }

    @Test func `is bounded, however many kinds there are`() {
        var judgements = Judgements()
        for port in 1...1000 {
            _ = judgements.judgement(on: facts(port)) { judgement() }
            #expect(judgements.count <= 256)
        }
        #expect(judgements.count > 0)
    }
}
