import Addressing
import Testing

@Suite struct `An IP address` {
    @Test(arguments: [
        ("10.1.2.3", "10.1.2.3"), ("::1", "::1"), ("fd00:0:0:1::0007", "fd00:0:0:1::7"),
        ("::ffff:10.0.0.1", "10.0.0.1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("::", "::"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("fe80::a:b", "fe80::a:b"), ("64:ff9b::1.2.3.4", "64:ff9b::102:304"),
    ])
    func `is written as RFC 5952 has it`(text: String, canonical: String) throws {
        #expect(try #require(IPAddress(text)).description == canonical)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.4 ", "1..2.3", ":", ":::", "1::2::3", "12345::",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "fe80::1%eth0", "[::1]", "1.2.3.4::", "::1.2.3", "1:2:3:4:5:6:7::8:9",
        "0x1.2.3.4",
    ])
    func `is not read from`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `in its mapped spelling is the IPv4 address`() {
        #expect(IPAddress("::ffff:1.2.3.4") == IPAddress("1.2.3.4"))
        #expect(IPAddress(networkBytes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4])?.family == .v4)
    }

    @Test func `round-trips through its bytes`() throws {
        for text in ["10.0.0.255", "fd00::1:2"] {
            let address = try #require(IPAddress(text))
            #expect(IPAddress(networkBytes: address.networkBytes) == address)
        }
    }

    @Test func `knows its scope`() throws {
        #expect(try #require(IPAddress("127.8.9.1")).isLoopback)
        #expect(try #require(IPAddress("169.254.7.127")).isLinkLocal)
        #expect(try #require(IPAddress("fe80::1")).isLinkLocal)
        #expect(!(try #require(IPAddress("fec0::1")).isLinkLocal))
        #expect(try #require(IPAddress("ff02::1")).isMulticast)
    }
}

@Suite struct `An IP prefix` {
    @Test func `contains its own addresses and no others`() throws {
        let prefix = try #require(IPPrefix("10.1.2.3/16"))
        #expect(prefix.description == "10.1.0.0/16")
        #expect(prefix.contains(try #require(IPAddress("10.1.255.255"))))
        #expect(!prefix.contains(try #require(IPAddress("10.2.0.0"))))
        #expect(!prefix.contains(try #require(IPAddress("fd00::1"))))
        #expect(try #require(IPPrefix("::/0")).contains(try #require(IPAddress("fd00::1"))))
        #expect(try #require(IPPrefix("0.0.0.0/0")).contains(try #require(IPAddress("1.1.1.1"))))
    }

    @Test(arguments: [
        ("::ffff:10.1.2.3/104", "10.0.0.0/8"), ("::ffff:10.1.2.3", "10.1.2.3/32"), ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::ffff:10.1.2.3/128", "10.1.2.3/32"),
    ])
    func `of mapped addresses is the IPv4 block`(text: String, canonical: String) throws {
        #expect(try #require(IPPrefix(text)).description == canonical)
    }

    @Test(arguments: [
        "::ffff:10.0.0.0/24", "::ffff:0:0/95", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "/8", "fd00::/129",
        "10.0.0.0/8/8", "10.0.0.0/+8",
    ])
    func `is not read from`(text: String) {
        #expect(IPPrefix(text) == nil)
    }
}

@Suite struct `A socket address` {
    @Test(arguments: ["10.0.0.1:80", "[fd00::1]:65535"])
    func `reads what it writes`(text: String) throws {
        #expect(try #require(SocketAddress(text)).description == text)
    }

    @Test(arguments: [
        "10.0.0.1", "10.0.0.1:65536", "fd00::1:80", "[10.0.0.1]:80", "10.0.0.1:+80", "[fd00::1]", ":80", "a:1",
    ])
    func `is not read from`(text: String) {
        #expect(SocketAddress(text) == nil)
    }
}
