import Resources
import Testing

@Suite struct `A manifest file` {
    @Test func `may hold several documents, lists and empty documents`() {
        let file = read(
            """
            ---
            # nothing
            ---
            apiVersion: v1
            kind: Namespace
            metadata: {name: shop}
            ---
            apiVersion: v1
            kind: List
            items:
              - apiVersion: v1
                kind: ServiceAccount
                metadata: {name: web, namespace: shop}
              - {apiVersion: v1, kind: Namespace, metadata: {name: pay}}
            """)
        #expect(file.problems == [])
        #expect(file.entries.map(\.key.description) == ["Namespace shop", "ServiceAccount shop/web", "Namespace pay"])
        #expect(file.entries.map(\.line) == [4, 11, 14])
    }

    @Test func `may be JSON`() {
        let file = read(
            #"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "status": {"podIP": "10.0.0.1"}}"#)
        #expect(file.problems == [])
        #expect(file.entries.map(\.key.description) == ["Pod default/a"])
    }

    @Test func `that is empty holds nothing`() {
        for text in ["", "\n", "---", "# x", "---\n---\n", "\u{feff}"] {
            #expect(read(text) == ManifestFile(), "\(text.debugDescription)")
        }
    }

    @Test func `that is no YAML is refused as a whole, with the line`() {
        let file = read("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\nkind: [Pod\n")
        #expect(file.entries == [])
        #expect(file.withheld == .any)
        #expect(file.problems.map(\.line) == [6])
        #expect(file.problems.first?.reason.hasPrefix("is not valid YAML: ") == true)
        #expect(file.mayStillHold(ManifestKey(kind: .pod, namespace: "x", name: "y")))
    }

    @Test(arguments: [
        ("a: &x 1\nb: 2\n", 1), ("a: &x 1\nb: *x\n", 2), ("a: 1\nb: *x\n", 2), ("- &a [1]\n- &b [*a, *a]\n", 2),
        ("x: &a\n  y: 1\nz:\n  <<: *a\n", 4), ("? &a b\n: 1\n", 1), ("? [&a [x], *a]\n: 1\n", 1),
    ])
    func `with anchors or aliases is refused`(text: String, line: Int) {
        let file = read(text)
        #expect(file.withheld == .any)
        #expect(file.problems.map(\.line) == [line])
        #expect(file.problems.first?.reason.contains("anchor or alias") == true)
    }

    @Test(.timeLimit(.minutes(1))) func `whose aliases would expand to gigabytes is refused before it does`() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...40 {
            let alias = "*a\(level - 1)"
            text += "a\(level): &a\(level) [\(Array(repeating: alias, count: 10).joined(separator: ", "))]\n"
        }
        text += "? *a40\n: hashed by value\n"
        #expect(read(text).problems.first?.reason.contains("anchor or alias") == true)
    }

    @Test func `may hold stars and ampersands that are no aliases`() {
        let file = read(
            """
            apiVersion: v1
            kind: Pod
            metadata:
              name: a
              annotations:
                quoted: "*x &y"
                plain: a & b *c
                block: |
                  &anchor in *text
                  - *text
            """)
        #expect(file.problems == [])
        #expect(file.entries.count == 1)
    }

    @Test(arguments: [
        ("a: 1\nb: 2\na: 3\n", 1), ("x:\n  - {k: 1, k: 2}\n", 2), ("a: 1\n\"a\": 2\n", 1),
    ])
    func `with a key twice is refused`(text: String, line: Int) {
        let file = read(text)
        #expect(file.problems.map(\.line) == [line])
        #expect(file.problems.first?.reason.contains("twice in one mapping") == true)
    }

    @Test func `with a tag or a key that is not text is refused`() {
        #expect(read("a: !!python/object:os.system x\n").problems.first?.reason.contains("YAML tag") == true)
        #expect(read("a: !secret x\n").problems.first?.line == 1)
        #expect(read("[a, b]: x\n").problems.first?.reason.contains("key that is not text") == true)
    }

    @Test func `is bounded in size, depth and number of values`() {
        let big = ManifestFile(
            bytes: Array(repeating: UInt8(ascii: "#"), count: ManifestLimits.fileSize + 1), file: "f")
        #expect(big.problems.map(\.reason) == ["is larger than 4 MiB: split it into several files"])
        for depth in [65, 900, 5_000, 200_000] {
            let deep = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
            #expect(read(deep).withheld == .any, "\(depth)")
        }
        let block = (0..<900).map { String(repeating: " ", count: $0) + "a:\n" }.joined()
        #expect(read(block).withheld == .any)
        let many = "[" + String(repeating: "a,", count: ManifestLimits.nodes) + "]"
        #expect(read(many).problems.first?.reason.contains("400,000 values") == true)
    }

    @Test func `of bytes that are no text is refused, and never ends the process`() {
        #expect(ManifestFile(bytes: [0xff, 0xfe, 0x00], file: "f").problems.first?.reason.contains("UTF-8") == true)
        #expect(ManifestFile(bytes: Array("a: \u{1}\n".utf8), file: "f").problems.map(\.line) == [1])
        var generator = SystemRandomNumberGenerator()
        let good = Array(policyText(spec: "rules:\n- from:\n  - source: {principals: [\"*\"]}\n").utf8)
        let alphabet = Array("{}[]:,-?&*!|>'\"%@`# \n\t\\~<a0".utf8)
        for _ in 0..<3_000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[index] = alphabet.randomElement(using: &generator) ?? 0
                case 1: bytes.insert(alphabet.randomElement(using: &generator) ?? 0, at: index)
                default: bytes.remove(at: index)
                }
            }
            let file = ManifestFile(bytes: bytes, file: "f")
            #expect(file.entries.allSatisfy { $0.object != nil } || !file.problems.isEmpty)
        }
    }

    @Test func `of a kind that is not ours is left alone`() {
        let file = read(
            """
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}
            ---
            {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
            ---
            {apiVersion: v1, kind: Secret, metadata: {name: a}}
            ---
            {apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a}}
            """)
        #expect(file == ManifestFile())
    }

    @Test func `of a kind that ours do not have is warned of, and withholds objects of that name`() {
        let file = read(
            "apiVersion: security.istio.io/v1\nkind: AuthorizationPolcy\nmetadata: {name: p, namespace: shop}\n")
        #expect(places(file) == ["warning 2 kind"])
        #expect(file.mayStillHold(ManifestKey(kind: .authorizationPolicy, namespace: "shop", name: "p")))
        #expect(!file.mayStillHold(ManifestKey(kind: .authorizationPolicy, namespace: "shop", name: "q")))
        let later = read("{apiVersion: security.istio.io/v1, kind: RequestAuthentication, metadata: {name: p}}")
        #expect(places(later) == ["warning 1 kind"])
        #expect(!later.mayStillHold(ManifestKey(kind: .authorizationPolicy, namespace: "default", name: "p")))
        #expect((file.problems + later.problems).map(\.topic) == [.unknownKind, .unknownKind])
    }

    @Test(arguments: [
        ("kind: Pod\nmetadata: {name: a}\n", "error 1 apiVersion"),
        ("apiVersion: v1\nmetadata: {name: a}\n", "error 1 kind"),
        ("apiVersion: v1\nkind: Pod\n", "error 1 metadata"),
        ("apiVersion: v1\nkind: Pod\nmetadata:\n  labels: {}\n", "error 4 metadata.name"),
        ("apiVersion: v1\nkind: Pod\nmetadata:\n  name: A_b\n", "error 4 metadata.name"),
        ("apiVersion: v1\nkind: Pod\nmetadata:\n  name: a/b\n", "error 4 metadata.name"),
        ("apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  namespace: b.c\n", "error 5 metadata.namespace"),
        ("- a\n- b\n", "error 1 "), ("text\n", "error 1 "),
        ("apiVersion: v1\nkind: List\nitems: 3\n", "error 3 items"),
    ])
    func `whose object cannot be told withholds everything`(text: String, place: String) {
        let file = read(text)
        #expect(places(file) == [place])
        #expect(file.withheld == .any)
    }

    @Test func `with an object twice keeps the first`() {
        let one = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {nodeName: n1}\n"
        let file = read(one + "---\n" + one.replacing("n1", with: "n2"))
        #expect(file.entries.count == 1)
        #expect(places(file) == ["error 6 "])
        #expect(file.problems.first?.reason.contains("line 1") == true)
        #expect(file.problems.first?.object == "Pod default/a")
    }

    @Test func `keeps its other objects when one is wrong`() {
        let file = read(
            """
            {apiVersion: v1, kind: Pod, metadata: {name: good}}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: bad}
            spec:
              hostNetwork: "true"
            """)
        #expect(file.entries.map { $0.object != nil } == [true, false])
        #expect(places(file) == ["error 7 spec.hostNetwork"])
    }

    @Test func `cannot forge lines of the log`() {
        let file = read("apiVersion: v1\nkind: Pod\nmetadata: {name: \"a\\nb: error: \\e[31m\"}\n")
        let text = file.problems.map(\.description).joined()
        #expect(!text.contains("\n"))
        #expect(!text.contains("\u{1b}"))
        #expect(text.hasPrefix("test.yaml:3: error: Pod: metadata.name: "))
    }
}

extension String {
    func replacing(_ old: String, with new: String) -> String {
        split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
    }
}
