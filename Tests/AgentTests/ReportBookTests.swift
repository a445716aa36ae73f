import Testing
import XDS

@testable import Agent

@Suite struct `The reports of nodes` {
    private let start = ContinuousClock.now

    private func report(_ node: String, _ text: String = "{}") -> NodeReport {
        NodeReport(node: node, takenAt: 1, json: Array(text.utf8))
    }

    @Test func `are kept by who sent them, the last of each, with its age`() {
        var book = ReportBook()
        book.received(report("b", "1"), from: "b", at: start)
        book.received(report("a", "2"), from: "a", at: start + .seconds(1))
        book.received(report("b", "3"), from: "b", at: start + .seconds(2))
        let nodes = book.nodes(at: start + .milliseconds(2500))
        #expect(nodes.map(\.report.node) == ["a", "b"])
        #expect(nodes.map { String(decoding: $0.report.json, as: UTF8.self) } == ["2", "3"])
        #expect(nodes.map(\.ageInMilliseconds) == [1500, 500])
    }

    @Test func `count for the node of the certificate, whatever the report says`() {
        var book = ReportBook()
        book.received(report("somebody else"), from: "a", at: start)
        #expect(book.nodes(at: start).map(\.report.node) == ["a"])
    }

    @Test func `say connected as long as a session is open, also while a newer one replaces the other`() {
        var book = ReportBook()
        book.received(report("a"), from: "a", at: start)
        func isConnected() -> Bool { book.nodes(at: start).first?.isConnected ?? false }
        #expect(!isConnected())
        book.nodeConnected("a")
        // The new session is known before the end of the old one.
        book.nodeConnected("a")
        book.nodeDisconnected("a")
        #expect(isConnected())
        book.nodeDisconnected("a")
        #expect(!isConnected())
        book.nodeDisconnected("a")
        book.nodeConnected("a")
        #expect(isConnected())
    }

    @Test func `are forgotten a day after the last, but not of a node that is connected`() {
        var book = ReportBook()
        book.received(report("a"), from: "a", at: start)
        book.received(report("b"), from: "b", at: start)
        book.nodeConnected("b")
        let late = start + ReportBook.forgottenAfter + .seconds(1)
        #expect(book.nodes(at: late).map(\.report.node) == ["b"])
    }

    @Test func `are bounded in number`() {
        var book = ReportBook()
        for number in 0...ReportBook.most { book.received(report("n"), from: "n\(number)", at: start) }
        #expect(book.nodes(at: start).count == ReportBook.most)
        book.received(report("n", "new"), from: "n0", at: start)
        #expect(book.nodes(at: start).contains { $0.report.json == Array("new".utf8) })
    }

    @Test func `have no negative ages`() {
        #expect(Duration.seconds(-1).wholeMilliseconds == 0)
        #expect(Duration.milliseconds(1999).wholeMilliseconds == 1999)
    }
}
