import Resources
import Testing

@testable import Controller

@Suite struct `A catalogue of files` {
    private func pod(_ name: String, node: String = "n1") -> String {
        "apiVersion: v1\nkind: Pod\nmetadata: {name: \(name), namespace: a}\nspec: {nodeName: \(node)}\n---\n"
    }

    private let badPod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: a}\nspec: {nodeName: N_1}\n---\n"

    private func read(_ catalogue: inout DirectoryCatalogue, _ path: String, _ text: String) {
        catalogue.fileRead(path, ManifestFile(bytes: Array(text.utf8), file: path))
        catalogue.settle()
    }

    private func nodes(_ catalogue: DirectoryCatalogue) -> [String: String] {
        var result: [String: String] = [:]
        for (key, standing) in catalogue.manifests.manifests {
            if case .pod(let pod) = standing.object { result[key.name] = pod.node }
        }
        return result
    }

    @Test func `keeps an object's last good state when it turns bad, and takes it when it is good again`() {
        var files = catalogue(["f": pod("p") + pod("q")])
        read(&files, "f", badPod + pod("q", node: "n2"))
        #expect(nodes(files) == ["p": "n1", "q": "n2"])
        #expect(
            files.problems.map(\.description) == [
                "f:4: error: Pod a/p: spec.nodeName: must be lower-case letters, digits, \"-\" and \".\", at most 253, not \"N_1\""
            ])
        read(&files, "f", badPod)
        #expect(nodes(files) == ["p": "n1"])
        read(&files, "f", pod("p", node: "n3"))
        #expect(nodes(files) == ["p": "n3"])
        #expect(files.problems == [])
    }

    @Test func `keeps all objects of a file that does not parse or cannot be read`() {
        for file in [ManifestFile(bytes: Array("a: [".utf8), file: "f"), ManifestFile(unreadable: "no", file: "f")] {
            var files = catalogue(["f": pod("p") + pod("q"), "g": pod("r")])
            files.fileRead("f", file)
            files.settle()
            #expect(nodes(files).keys.sorted() == ["p", "q", "r"])
            #expect(files.problems.map(\.file) == ["f"])
            files.fileRead("f", file)
            files.settle()
            #expect(nodes(files).count == 3)
        }
    }

    @Test func `drops objects that a good file has no more, and those of a file that is gone`() {
        var files = catalogue(["f": pod("p") + pod("q"), "g": pod("r")])
        read(&files, "f", pod("q"))
        #expect(nodes(files).keys.sorted() == ["q", "r"])
        files.fileGone("g")
        files.settle()
        #expect(nodes(files).keys.sorted() == ["q"])
        #expect(files.paths == ["f"])
    }

    @Test func `has nothing in force for an object that was never good`() {
        let files = catalogue(["f": badPod])
        #expect(nodes(files) == [:])
        #expect(files.problems.count == 1)
    }

    @Test func `takes an object that is in two files from the first by path, and says so`() {
        var files = catalogue(["b": pod("p", node: "n2"), "a": pod("p", node: "n1")])
        #expect(nodes(files) == ["p": "n1"])
        #expect(
            files.problems.map(\.description) == [
                "b:1: error: Pod a/p: is in a:1 too, which is in force: remove one of them"
            ])
        files.fileGone("a")
        files.settle()
        #expect(nodes(files) == ["p": "n2"])
        #expect(files.problems == [])
    }

    @Test func `prefers a good state in one file to the last good state of another`() {
        var files = catalogue(["a": pod("p", node: "n1")])
        read(&files, "a", badPod)
        read(&files, "b", pod("p", node: "n2"))
        #expect(nodes(files) == ["p": "n2"])
    }

    @Test func `keeps the last good state of an object that moves to another file and is bad there`() {
        var files = catalogue(["a": pod("p", node: "n1")])
        files.fileGone("a")
        files.fileRead("b", ManifestFile(bytes: Array(badPod.utf8), file: "b"))
        files.settle()
        #expect(nodes(files) == ["p": "n1"])
    }

    @Test func `keeps an object whose kind was misspelt`() {
        var files = catalogue(["f": pod("p") + pod("q")])
        read(&files, "f", pod("p").split(separator: "Pod").joined(separator: "Podd"))
        #expect(nodes(files).keys.sorted() == ["p"])
        #expect(files.problems.map(\.severity) == [.warning])
    }
}

@Suite struct `The debounce` {
    private let start = ContinuousClock.now

    @Test func `is due after 50 quiet milliseconds`() {
        var debounce = ChangeDebounce()
        let first = debounce.changed(at: start)
        #expect(first == start + .milliseconds(50))
        let second = debounce.changed(at: start + .milliseconds(40))
        #expect(second == start + .milliseconds(90))
        let isDue = [89, 90, 90].map { debounce.isDue(at: start + .milliseconds($0)) }
        #expect(isDue == [false, true, false])
    }

    @Test func `is due after 120 milliseconds however much changes`() {
        var debounce = ChangeDebounce()
        var deadline = start
        for step in 0..<12 { deadline = debounce.changed(at: start + .milliseconds(10 * step)) }
        #expect(deadline == start + .milliseconds(120))
        let isDue = debounce.isDue(at: deadline)
        #expect(isDue)
        let next = debounce.changed(at: deadline)
        #expect(next == deadline + .milliseconds(50))
    }
}
