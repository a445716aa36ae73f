"""The rules of this repository that neither the compiler nor the formatter knows.

usage: source-rules.py ROOT RULE...

Prints one line per offence, as `file:line: what`, and ends with 1 if there is any.
"""

import pathlib
import re
import sys

# Each C module belongs to one target.
C_MODULES = {"CLinux": "Kernel", "CNetfilter": "Capture", "COpenSSL": "TLS", "CNghttp2": "HTTP"}

# Targets that may use FoundationEssentials; the whole of Foundation is for none.
FOUNDATION_TARGETS = {
    "Resources", "XDS", "Controller", "ControlPlane", "Agent", "CommandLine", "CertificateAuthority", "PolicyVerdicts"
}

# Targets that import Glibc: Kernel, and the plugin, which must not need anything.
GLIBC_TARGETS = {"Kernel", "meshnode-cni"}

# Targets that get time and randomness as arguments, and never log.
PURE_TARGETS = {"Addressing", "Bytes", "Mesh", "HTTP", "TLS", "Tunnel"}

# What needs a comment, on its line or above it, that proves why it is right here.
NEEDS_PROOF = {
    r"\btry!": "try!",
    r"\bas!": "as!",
    r"\bfatalError\(": "fatalError",
    r"\bprecondition(Failure)?\(": "precondition",
    r"[\w)\]}>\"]!(?![=\w\"])": "force unwrap",
    r"\bunsafelyUnwrapped\b": "unsafelyUnwrapped",
    r"@unchecked Sendable": "@unchecked Sendable",
    r"\bnonisolated\(unsafe\)": "nonisolated(unsafe)",
    r"\bTask(\.detached)?\s*(\([^)]*\)\s*)?\{": "unstructured Task",
}

# Members that a protocol asks for: the protocol documents them.
WITNESSES = re.compile(
    r"\b(description|debugDescription|errorDescription|rawValue|isEmpty|count|startIndex|endIndex|id)\b\s*:"
    r"|\bfunc\s*(==|<|~=|\+=)|\bfunc (hash\(into|encode\(to|index\(after|next\(\))|\binit\(from "
)

# What may follow `public` or `open` in a declaration.
KEYWORDS = "struct|class|enum|protocol|actor|func|var|let|init|subscript|typealias|extension|import|static|final"

# Numbers whose name is their unit.
SPEAKING_NUMBER = re.compile(r"^\s*`?(pid|uid|gid|device|inode|\w*[pP]ort|\w*PID|keeperPid|\w*(Count|Index))\b")

MODIFIERS = (
    r"(?:static|final|mutating|consuming|borrowing|nonmutating|override|convenience|indirect|lazy|weak|unowned"
    r"|nonisolated(?:\(unsafe\))?|private\(set\)|internal\(set\)|fileprivate\(set\)|distributed|required|isolated)"
)
DECLARATION = re.compile(
    rf"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:{MODIFIERS}\s+)*package\s+(?:@\w+(?:\([^)]*\))?\s+)*(?:{MODIFIERS}\s+)*"
    r"(struct|class|enum|protocol|actor|func|var|let|init|subscript|typealias)\b(.*)"
)


def stripped(text):
    """The text with comments and the contents of strings blanked, line by line as long as before."""
    out, i, n = [], 0, len(text)
    while i < n:
        two = text[i : i + 2]
        if two == "//":
            end = text.find("\n", i)
            end = n if end < 0 else end
            out.append(" " * (end - i))
            i = end
        elif two == "/*":
            end = text.find("*/", i + 2)
            end = n if end < 0 else end + 2
            out.append(re.sub(r"[^\n]", " ", text[i:end]))
            i = end
        elif text[i] == '"' or (text[i] == "#" and re.match(r'#+"', text[i:])):
            i = skip_string(text, i, out)
        else:
            out.append(text[i])
            i += 1
    return "".join(out)


def skip_string(text, start, out):
    """Blanks a string literal that begins at `start`; code in its interpolations is blanked with it."""
    hashes = len(re.match(r"#*", text[start:]).group())
    quote = '"""' if text.startswith('"""', start + hashes) else '"'
    end_mark = quote + "#" * hashes
    escape = "\\" + "#" * hashes
    i = start + hashes + len(quote)
    while i < len(text) and not text.startswith(end_mark, i):
        if text.startswith(escape + "(", i):
            depth, i = 1, i + len(escape) + 1
            while i < len(text) and depth:
                if text[i] == '"':
                    i = skip_string(text, i, [])
                    continue
                depth += {"(": 1, ")": -1}.get(text[i], 0)
                i += 1
        elif text.startswith(escape, i) and not hashes:
            i += 2
        else:
            i += 1
    end = min(len(text), i + len(end_mark))
    out.append('"' + re.sub(r"[^\n]", " ", text[start + 1 : end - 1]) + ('"' if end - start > 1 else ""))
    return end


class Source:
    """One Swift file of Sources."""

    def __init__(self, root, path):
        self.path = path.relative_to(root)
        self.target = self.path.parts[1]
        self.text = path.read_text()
        self.lines = self.text.split("\n")
        self.code = stripped(self.text).split("\n")
        self.is_generated = "DO NOT EDIT" in self.text[:2000]

    def at(self, index, what):
        return f"{self.path}:{index + 1}: {what}"

    def imports(self):
        for index, line in enumerate(self.code):
            match = re.match(r"^\s*((?:@\S+\s+|\w+\s+)*)import\s+(?:(?:struct|class|enum|func|var)\s+)?(\w+)", line)
            if match:
                yield index, match.group(1).split(), match.group(2)

    def has_proof(self, index):
        """Whether a comment stands on the line, or right above it, that is more than an order to the formatter."""
        comments = []
        if "//" in self.lines[index] and "//" not in self.code[index]:
            comments.append(self.lines[index].split("//", 1)[1])
        above = index - 1
        while above >= 0 and re.match(r"\s*//(?!/)", self.lines[above]):
            comments.append(self.lines[above].split("//", 1)[1])
            above -= 1
        # Where a type says that it is safe to share, the proof may be the first thing inside it.
        if "@unchecked" in self.code[index] and index + 1 < len(self.lines):
            if re.match(r"\s*//(?!/)", self.lines[index + 1]):
                comments.append(self.lines[index + 1].split("//", 1)[1])
        return any(not comment.strip().startswith("swift-format-ignore") for comment in comments if comment.strip())


def glibc(root, sources):
    """Glibc is imported in Kernel only, Foundation only where it may be."""
    for source in sources:
        if source.is_generated:
            continue
        for index, _, module in source.imports():
            if module in ("Glibc", "Musl", "Darwin", "Bionic") and source.target not in GLIBC_TARGETS:
                yield source.at(index, f"{module} is for Kernel only")
            if module.startswith("Foundation"):
                if module != "FoundationEssentials":
                    yield source.at(index, f"{module}: FoundationEssentials is enough")
                elif source.target not in FOUNDATION_TARGETS:
                    yield source.at(index, f"{source.target} does without Foundation")


def c_modules(root, sources):
    """Each C module is imported by its one target, and always `internal import`."""
    seen = set()
    for source in sources:
        for index, modifiers, module in source.imports():
            if module not in C_MODULES:
                continue
            seen.add(module)
            if source.target != C_MODULES[module]:
                yield source.at(index, f"{module} is for {C_MODULES[module]} only")
            if modifiers != ["internal"]:
                yield source.at(index, f"write `internal import {module}`")
    for module in C_MODULES.keys() - seen:
        yield f"Sources/{module}: imported by no target"


def visibility(root, sources):
    """`public` and `open` stand nowhere: `package` is enough between targets."""
    for source in sources:
        for index, line in enumerate(source.code):
            if re.search(r"(?<![.\w])(public|open)(\(set\))?\s+(" + KEYWORDS + r")\b", line):
                yield source.at(index, "`public` or `open`: `package` is enough")


def patterns(root, sources):
    """What may trap, escape its owner or be forgotten needs a comment that proves it; a TODO is never left."""
    for source in sources:
        if source.is_generated:
            continue
        for index, line in enumerate(source.code):
            for pattern, name in NEEDS_PROOF.items():
                if re.search(pattern, line) and not source.has_proof(index):
                    yield source.at(index, f"{name} without a comment that proves it")
            if re.search(r"\b(TODO|FIXME|XXX)\b", source.lines[index]):
                yield source.at(index, "do it or make it an issue")


def names(root, sources):
    """A stranger must find the room a line belongs in: no drawers, no type named after its module."""
    modules = {source.target for source in sources}
    for source in sources:
        if re.search(r"(Util|Utils|Utilities|Helper|Helpers|Common|Misc)(\+|\.)", source.path.name):
            yield source.at(0, "a name that says nothing")
        if not source.is_generated and len(source.lines) > 600:
            yield source.at(600, f"{len(source.lines)} lines in one file")
        for index, line in enumerate(source.code):
            match = re.search(r"\b(?:struct|class|enum|protocol|actor)\s+(\w+)", line)
            if match and match.group(1) in modules and match.group(1) == source.target:
                yield source.at(index, f"type {match.group(1)} is named after its module")


def purity(root, sources):
    """The machines without I/O get time and randomness as arguments, and never log."""
    for source in sources:
        if source.target not in PURE_TARGETS:
            continue
        for index, line in enumerate(source.code):
            if re.search(r"Clock(\(\))?\.now\b|\.random\(|randomElement|SystemRandomNumberGenerator|\bprint\(", line):
                yield source.at(index, "reads a clock, draws randomness or prints")


def documentation(root, sources):
    """Every type and every member that other targets see says what it is, as far as its name does not.

    Not asked of: what a protocol asked for (it is documented there), memberwise initializers, and stored properties
    whose name and type say it all, which a bare number seldom does: it has a unit or a range.
    """
    asked_for = {name for source in sources for name in requirements(source)}
    for source in sources:
        if source.is_generated:
            continue
        for index, line in enumerate(source.code):
            match = DECLARATION.match(line)
            if not match or WITNESSES.search(line) or is_documented(source.lines, index):
                continue
            kind, rest = match.groups()
            name = re.match(r"\s*`?(\w*)", rest).group(1)
            if name in asked_for and kind in ("func", "var", "let"):
                continue
            if kind == "init" and rest.startswith("(") and not signature_throws(source.code, index):
                continue
            if kind in ("var", "let") and " static " not in f" {line} " and not is_computed(rest) and not is_number(rest):
                continue
            # A boolean is named as an assertion, so it is its own description.
            if kind == "var" and re.match(r"\s*(is|has|can|uses|needs)[A-Z]\w*\s*:\s*Bool\b", rest):
                continue
            yield source.at(index, f"no doc comment: {source.lines[index].strip()[:80]}")


def requirements(source):
    """The names of what the protocols in a file ask for."""
    depth_of_protocol, depth = None, 0
    for line in source.code:
        if depth_of_protocol is None and re.search(r"\bprotocol\s+\w+", line):
            depth_of_protocol = depth
        elif depth_of_protocol is not None:
            match = re.search(r"\b(?:func|var)\s+`?(\w+)", line)
            if match:
                yield match.group(1)
        depth += line.count("{") - line.count("}")
        if depth_of_protocol is not None and depth <= depth_of_protocol and "}" in line:
            depth_of_protocol = None


def is_computed(rest):
    """Whether a property has a getter; `= {` and observers make it a stored one all the same."""
    return "{" in rest and "=" not in rest.split("{", 1)[0] and not re.search(r"\{\s*(didSet|willSet)", rest)


def is_number(rest):
    """Whether a property is declared as a bare number, or begins as one, and its name does not say of what."""
    if SPEAKING_NUMBER.match(rest):
        return False
    return bool(re.search(r":\s*(U?Int(8|16|32|64)?|Double|Float)\??\s*($|=|\{)", rest) or re.search(r"=\s*-?\d", rest))


def signature_throws(code, index):
    """Whether the signature that begins at `index` has `throws` before its body."""
    signature = " ".join(code[index : index + 12]).split("{", 1)[0]
    return bool(re.search(r"\)\s*(async\s+)?throws\b", signature))


def is_documented(lines, index):
    above = index - 1
    while above >= 0 and re.match(r"\s*(@\w|//(?!/))", lines[above]):
        above -= 1
    return above >= 0 and lines[above].lstrip().startswith("///")


def problem_codes(root, sources):
    """Each code that a user may meet has its page, each page its code and its line in the index; so have the reasons."""
    used = {}
    for source in sources:
        for index, line in enumerate(source.lines):
            for code in re.findall(r'"(MN\d{4})"', line):
                used.setdefault(code, source.at(index, ""))
    pages = {page.stem: page.read_text() for page in (root / "docs/problems").glob("MN*.md")}
    listed = set(re.findall(r"^\| \[(MN\d{4})\]\(problems/\1\.md\)", (root / "docs/problems.md").read_text(), re.M))
    for code in sorted(used.keys() - pages.keys()):
        yield f"{used[code]}{code} has no page docs/problems/{code}.md"
    for code in sorted(pages.keys() - used.keys()):
        yield f"docs/problems/{code}.md: {code} is described, but is no code"
    for code in sorted(pages.keys() ^ listed):
        yield f"docs/problems.md: {code} is not both a page and a line here"
    for code, text in sorted(pages.items()):
        for part in [f"# {code}: ", "## Cause", "## Effect on traffic", "## How to see it", "## What to do"]:
            if part not in text:
                yield f"docs/problems/{code}.md: '{part}' is missing"
    reasons = root / "Sources/Mesh/Reason.swift"
    if reasons.exists():
        known = set(re.findall(r'= "([A-Z0-9_]+)"', reasons.read_text()))
        told = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", (root / "docs/reasons.md").read_text(), re.M))
        for reason in sorted(known ^ told):
            yield f"docs/reasons.md: {reason} is not both a reason and a line here"


def links(root, sources):
    """What a document links to in this repository is there."""
    for document in sorted([*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("deploy/**/*.md")]):
        for number, line in enumerate(document.read_text().split("\n"), 1):
            for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", line):
                if not re.match(r"[a-z]+:", target) and not (document.parent / target).exists():
                    yield f"{document.relative_to(root)}:{number}: {target} is not there"


def architecture(root, sources):
    """The table of ARCHITECTURE.md says what Package.swift says, and no target names what it does not import."""
    declared = {}
    for match in re.finditer(
        r'(?:executableT|\bt)arget\(\s*(?:name: )?"([\w-]+)"(?:,\s*(?:dependencies: )?\[(.*?)\])?', (root / "Package.swift").read_text(), re.S
    ):
        declared[match.group(1)] = set(re.findall(r'"(\w+)"', match.group(2) or ""))
    targets = {source.target for source in sources}
    for target in sorted(targets - declared.keys()):
        yield f"Package.swift: {target} is not a target"
    table = {}
    for line in (root / "ARCHITECTURE.md").read_text().split("\n"):
        match = re.match(r"\| `([\w-]+)` \|.*\|([^|]*)\|$", line)
        if match:
            table[match.group(1)] = set(re.findall(r"\w+", match.group(2)))
    for target in sorted(targets & declared.keys()):
        wanted = declared[target] & (targets | C_MODULES.keys())
        if table.get(target) != wanted:
            yield f"ARCHITECTURE.md: {target} may import {', '.join(sorted(wanted)) or 'nothing'} by Package.swift"
        imported = {module for source in sources if source.target == target for _, _, module in source.imports()}
        for unused in sorted(wanted - imported):
            yield f"Package.swift: {target} names {unused}, and imports it nowhere"


RULES = {
    rule.__name__: rule
    for rule in (
        glibc, c_modules, visibility, patterns, names, purity, documentation, problem_codes, links, architecture,
    )
}


def main():
    root = pathlib.Path(sys.argv[1])
    sources = [Source(root, path) for path in sorted((root / "Sources").rglob("*.swift"))]
    if not sources:
        sys.exit("no sources found")
    offences = [offence for name in sys.argv[2:] for offence in RULES[name](root, sources)]
    print("\n".join(offences))
    sys.exit(1 if offences else 0)


main()
