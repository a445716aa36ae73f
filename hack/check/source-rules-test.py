"""Breaks each rule of source-rules.py once, and keeps each once: a rule that cannot fail shows nothing.

usage: source-rules-test.py
"""

import pathlib
import subprocess
import sys
import tempfile

RULES = pathlib.Path(__file__).with_name("source-rules.py")

# A page of a problem code with all its parts.
PAGE = "# MN0001: x\n## Cause\n## Effect on traffic\n## How to see it\n## What to do\n"

# rule, file, what must be found, what must not.
CASES = [
    ("glibc", "Sources/Mesh/A.swift", "internal import Glibc\n", "// import Glibc\nlet s = \"\"\"\n  import Glibc\n  \"\"\"\n"),
    ("glibc", "Sources/Mesh/A.swift", "import FoundationEssentials\n", "import Synchronization\n"),
    ("glibc", "Sources/Agent/A.swift", "import Foundation\n", "internal import FoundationEssentials\n"),
    ("glibc", "Sources/Tunnel/A.swift", "@preconcurrency internal import Glibc\n", "let Glibc = 1\n"),
    ("c_modules", "Sources/Mesh/A.swift", "internal import CLinux\n", None),
    ("c_modules", "Sources/Kernel/A.swift", "import CLinux\n", None),
    ("visibility", "Sources/Mesh/A.swift", "public struct A {}\n", "func open() {}\nlet publicKey = open(1)\n"),
    ("visibility", "Sources/Mesh/A.swift", "    public init() {}\n", "x { open throws(E) in }\n"),
    ("patterns", "Sources/Mesh/A.swift", "let a = b!\n", "let a = !b != c\nlet d = \"x!\"  // e!\n"),
    ("patterns", "Sources/Mesh/A.swift", "let a = b[0]!.c\n", "// The key was put in above.\nlet a = b[0]!.c\n"),
    ("patterns", "Sources/Mesh/A.swift", "// swift-format-ignore: NeverForceUnwrap\nlet a = b!\n", "// Never nil: see the table.\n// swift-format-ignore: NeverForceUnwrap\nlet a = b!\n"),
    ("patterns", "Sources/Mesh/A.swift", "fatalError(\"x\")\n", "fatalError(\"x\")  // the caller proved it\n"),
    ("patterns", "Sources/Mesh/A.swift", "let a = try! b()\n", "let a = try? b()\n"),
    ("patterns", "Sources/Mesh/A.swift", "let a = b as! C\n", "let a = b as? C\n"),
    ("patterns", "Sources/Mesh/A.swift", "/// A doc comment proves nothing.\nprecondition(a)\n", "assert(a)\n"),
    ("patterns", "Sources/Mesh/A.swift", "final class A: @unchecked Sendable {\n}\n", "final class A: @unchecked Sendable {\n    // Confined to its loop.\n}\n"),
    ("patterns", "Sources/Mesh/A.swift", "Task { await x() }\n", "group.addTask { await x() }\n"),
    ("patterns", "Sources/Mesh/A.swift", "Task.detached(priority: .high) { }\n", "let Task = 1\n"),
    ("patterns", "Sources/Mesh/A.swift", "// TODO: later\n", "// todos are elsewhere\n"),
    ("patterns", "Sources/Mesh/A.swift", "let a = \"\\(b!)\" + c!\n", "let a = #\"c! \\(d!)\"#\n"),
    ("names", "Sources/Mesh/StringUtils.swift", "let a = 1\n", None),
    ("names", "Sources/Mesh/A.swift", "package struct Mesh {}\n", "package struct MeshChange {}\n"),
    ("names", "Sources/Mesh/A.swift", "\n" * 700, "\n" * 500),
    ("purity", "Sources/Mesh/A.swift", "let now = ContinuousClock.now\n", "let now: ContinuousClock.Instant\n"),
    ("purity", "Sources/HTTP/A.swift", "let a = Int.random(in: 0..<3)\n", "// Int.random(in: 0..<3)\n"),
    ("purity", "Sources/Tunnel/A.swift", "print(1)\n", "blueprint(1)\n"),
    ("documentation", "Sources/Mesh/A.swift", "package struct A {}\n", "/// A.\npackage struct A {}\n"),
    ("documentation", "Sources/Mesh/A.swift", "/// A.\n\npackage struct A {}\n", "/// A.\n@frozen\npackage struct A {}\n"),
    ("documentation", "Sources/Mesh/A.swift", "    package static func f() {}\n", "    static func f() {}\n"),
    ("documentation", "Sources/Mesh/A.swift", "    package var window: Int\n", "    package var name: String\n    package let port: UInt16\n"),
    ("documentation", "Sources/Mesh/A.swift", "    package init?(_ a: Int) {}\n", "    package init(a: Int) {}\n"),
    ("documentation", "Sources/Mesh/A.swift", "    package init(a: Int) throws {}\n", "    package var isOpen: Bool { true }\n"),
    ("documentation", "Sources/Mesh/A.swift", "    package func g() {}\n", "/// P.\npackage protocol P {\n    /// G.\n    func g()\n}\npackage func g() {}\n"),
    ("architecture", "ARCHITECTURE.md", "| `Agent` | x | Mesh |\n", None),
    ("architecture", "Package.swift", "target(\"Agent\", [\"Kernel\"]),\n", None),
    ("architecture", "Sources/New/A.swift", "let a = 1\n", None),
    ("links", "a.md", "[x](nowhere.md)\n", "[x](https://example.org) [y](#z)\n"),
    ("problem_codes", "Sources/Agent/A.swift", "let a = \"MN1234\"\n", "let a = \"MN0001\"\n"),
    ("problem_codes", "docs/problems.md", "| [MN4321](problems/MN4321.md) | x |\n", "| [MN0001](problems/MN0001.md) | x |\n"),
    ("problem_codes", "docs/problems/MN4321.md", PAGE.replace("MN0001", "MN4321"), None),
    ("problem_codes", "docs/problems/MN0001.md", PAGE.replace("## What to do", ""), PAGE),
    ("problem_codes", "docs/reasons.md", "| `POLICY_DENY` | x |\n", "| `DRAIN` | x |\n"),
]

# What makes every rule content by itself.
BACKGROUND = {
    "Sources/Agent/Codes.swift": "let code = \"MN0001\"\n",
    "Sources/Kernel/K.swift": "internal import CLinux\n",
    "Sources/Capture/K.swift": "internal import CNetfilter\n",
    "Sources/TLS/K.swift": "internal import COpenSSL\n",
    "Sources/HTTP/K.swift": "internal import CNghttp2\n",
    "docs/problems.md": "| [MN0001](problems/MN0001.md) | x |\n",
    "docs/problems/MN0001.md": PAGE,
    "Sources/Mesh/Reason.swift": "enum Reason {\n    case drain = \"DRAIN\"\n}\n",
    "docs/reasons.md": "| `DRAIN` | x |\n",
    "Package.swift": """
        target("Agent"), target("Kernel", ["CLinux"]), target("Capture", ["CNetfilter"]), target("TLS", ["COpenSSL"]),
        target("HTTP", ["CNghttp2"]), target("Mesh"),
        """,
    "ARCHITECTURE.md": """
| `Agent` | x | |
| `Kernel` | x | CLinux |
| `Capture` | x | CNetfilter |
| `TLS` | x | COpenSSL |
| `HTTP` | x | CNghttp2 |
| `Mesh` | x | |
""",
}


def passes(rule, path, text):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, content in {**BACKGROUND, path: text}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content)
        run = subprocess.run([sys.executable, RULES, root, rule], capture_output=True, text=True)
        if run.stderr:
            sys.exit(f"{rule}: {run.stderr}")
        return run.returncode == 0


wrong = []
if not passes("architecture", "docs/x", ""):
    wrong.append("architecture finds fault with what is in order")
for rule, path, broken, kept in CASES:
    if passes(rule, path, broken):
        wrong.append(f"{rule} does not find: {broken!r}")
    if kept is not None and not passes(rule, path, kept):
        wrong.append(f"{rule} finds fault with: {kept!r}")
print("\n".join(wrong))
sys.exit(1 if wrong else 0)
