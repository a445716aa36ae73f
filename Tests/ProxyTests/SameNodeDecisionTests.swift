import TestSupport
import Testing

@testable import Proxy

@Suite struct `A connection within a node` {
    private let all = SameNodeFacts(
        isJoinable: true, isDraining: false, isServed: true, hasSourceAddress: true, isAddressThere: true)

    @Test func `is joined if everything is certain`() {
        #expect(all.decision == .join)
    }

    @Test func `is looked after first if nobody knows where the address is`() {
        var facts = all
        facts.isAddressThere = nil
        #expect(facts.decision == .look)
    }

    @Test func `takes the tunnel if one thing is missing, and looks for nothing`() {
        for path in [\SameNodeFacts.isJoinable, \.isServed, \.hasSourceAddress] {
            var facts = all
            facts[keyPath: path] = false
            #expect(facts.decision == .tunnel)
            facts.isAddressThere = nil
            #expect(facts.decision == .tunnel)
        }
    }

    @Test func `takes the tunnel while its worker drains, and to an address that is not there`() {
        var facts = all
        facts.isAddressThere = false
        #expect(facts.decision == .tunnel)
        facts = all
        facts.isDraining = true
        #expect(facts.decision == .tunnel)
    }
}

@Suite struct `Addresses of a namespace` {
    @Test func `are known once somebody looked, and looked for anew when the mesh says others`() {
        var addresses = NamespaceAddresses()
        let (first, second) = (ip("10.0.0.1"), ip("fd00::1"))
        addresses.told([first])
        #expect(addresses.contains(first) == nil)
        addresses.looked(for: first, isThere: true)
        addresses.looked(for: second, isThere: false)
        #expect(addresses.contains(first) == true)
        #expect(addresses.contains(second) == false)
        // What was not there may have come.
        addresses.told([first])
        #expect(addresses.contains(first) == true)
        #expect(addresses.contains(second) == nil)
        addresses.told([first, second])
        #expect(addresses.contains(first) == nil)
    }
}
