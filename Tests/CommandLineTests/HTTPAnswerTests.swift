import Dispatch
import Testing

@testable import CommandLine

@Suite struct `An HTTP answer` {
    @Test func `is read by its length`() {
        let answer = HTTPAnswer(Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}rest".utf8))
        #expect(answer?.status == 200)
        #expect(answer?.body == Array("{}".utf8))
    }

    @Test func `is read to the end without one`() {
        #expect(HTTPAnswer(Array("HTTP/1.1 503 X\r\n\r\nbusy".utf8))?.body == Array("busy".utf8))
    }

    @Test func `is read out of its chunks`() {
        let text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"
        #expect(HTTPAnswer(Array(text.utf8))?.body == Array("abcd".utf8))
    }

    @Test(arguments: [
        "", "HTTP/1.1 200 OK", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7fffffffffffffff\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\nabc\r\n",
    ])
    func `that is cut or is none is not read`(text: String) {
        #expect(HTTPAnswer(Array(text.utf8)) == nil)
    }

    @Test func `never traps wherever it is cut`() {
        let bytes = Array("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n".utf8)
        for count in 0..<bytes.count {
            let answer = HTTPAnswer(Array(bytes.prefix(count)))
            #expect(answer == nil || answer?.body == Array("abcd".utf8))
        }
    }
}

@Suite struct `Work with a time limit` {
    @Test func `brings its result or its error`() throws {
        #expect(try TimeLimit.run(.seconds(60)) { () throws(CommandError) in [1, 2] } == [1, 2])
        #expect(throws: CommandError(.notPermitted, "no")) {
            try TimeLimit.run(.seconds(60)) { () throws(CommandError) in throw CommandError(.notPermitted, "no") }
        }
    }

    @Test func `that hangs is given up`() throws {
        let never = DispatchSemaphore(value: 0)
        defer { never.signal() }
        let result = try TimeLimit.run(.milliseconds(1)) { () throws(CommandError) in
            never.wait()
            return []
        }
        #expect(result == nil)
    }
}
