import Addressing
import Foundation
import Glibc
import Kernel
import TestSupport
import Testing

@testable import Agent

/// The server on a port of its own, which the kernel chose.
private struct LoopbackServer {
    let address: SocketAddress
    private let server = AdminServer()

    init(_ responder: @escaping AdminServer.TargetResponder) throws {
        let socket = try TCPSocket.make(.v4)
        try socket.bind(to: socketAddress("127.0.0.1:0"))
        try socket.listen(backlog: 16)
        let local = socket.localAddress()
        address = try #require(local)
        try server.serve(socket.takeDescriptor(), responder)
    }

    /// What comes back for `request`, until the server closes.
    func exchange(_ request: String) throws -> String {
        SignalSource.ignoreBrokenPipes()
        let client = Descriptor(owning: socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        var peer = sockaddr_in()
        peer.sin_family = sa_family_t(AF_INET)
        peer.sin_port = address.port.bigEndian
        peer.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &peer) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(client.raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        #expect(result == 0)
        try client.writeAll(Array(request.utf8))
        return String(decoding: try client.readAll(limit: 1 << 20), as: UTF8.self)
    }
}

@Suite struct `The admin server` {
    private let server: LoopbackServer

    init() throws {
        server = try LoopbackServer { target, complete in
            switch target.path {
            case "/hello": complete(.text(.ok, "hello"))
            case "/form": complete(.text(.ok, target.accept ?? "any"))
            default: complete(.text(.notFound, "nothing at \(target.path)"))
            }
        }
    }

    private func request(_ method: String, _ target: String, more: String = "") throws -> String {
        try server.exchange("\(method) \(target) HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\(more)\r\n")
    }

    @Test func `answers a GET with status, type, length and body`() throws {
        let answer = try request("GET", "/hello")
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.contains("content-type: text/plain; charset=utf-8\r\n"))
        #expect(answer.contains("content-length: 6\r\n"))
        #expect(answer.hasSuffix("\r\n\r\nhello\n"))
    }

    @Test func `tells the responder which forms the asker reads`() throws {
        let one = try request("GET", "/form", more: "accept: application/openmetrics-text; version=1.0.0\r\n")
        #expect(one.hasSuffix("\r\n\r\napplication/openmetrics-text; version=1.0.0\n"))
        let two = try request("GET", "/form", more: "Accept: text/plain\r\naccept: */*\r\n")
        #expect(two.hasSuffix("\r\n\r\ntext/plain, */*\n"))
        #expect(try request("GET", "/form").hasSuffix("\r\n\r\nany\n"))
    }

    @Test func `answers a HEAD with the same head and no body`() throws {
        let answer = try request("HEAD", "/hello")
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.contains("content-length: 6\r\n"))
        #expect(answer.hasSuffix("\r\n\r\n"))
    }

    @Test(arguments: ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
    func `changes nothing, so refuses every other method`(method: String) throws {
        let answer = try request(method, "/hello", more: "content-length: 0\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 405 "))
        #expect(!answer.contains("hello"))
    }

    @Test func `says that there is nothing at other paths`() throws {
        let answer = try request("GET", "/other")
        #expect(answer.hasPrefix("HTTP/1.1 404 "))
        #expect(answer.hasSuffix("nothing at /other\n"))
    }

    @Test func `leaves the query out of the path`() throws {
        #expect(try request("GET", "/hello?a=b").hasSuffix("\r\n\r\nhello\n"))
    }

    @Test func `answers several requests on one connection in their order`() throws {
        let answer = try server.exchange(
            "GET /hello HTTP/1.1\r\nhost: x\r\n\r\nGET /other HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        let statuses = answer.components(separatedBy: "HTTP/1.1 ").dropFirst().map { $0.prefix(3) }
        #expect(statuses == ["200", "404"])
    }

    @Test(arguments: ["\r\n\r\n\0\0", "GET\r\n\r\n", "\u{16}\u{3}\u{1}garbage garbage garbage\r\n\r\n"])
    func `closes on what is no HTTP`(bytes: String) throws {
        let answer = try server.exchange(bytes)
        #expect(!answer.contains("200 OK"))
    }
}
