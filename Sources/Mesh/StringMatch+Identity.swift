extension StringMatch {
    /// Compares with an identity as policies spell it (`td/ns/NS/sa/SA`), byte by byte and without building that
    /// text. A pattern that was written with `spiffe://` means the same as one without.
    package func matches(_ identity: SPIFFEID) -> Bool {
        let length = identity.principalLength
        switch self {
        case .presence:
            return true
        case .exact(let text):
            let skipped = Self.schemeLength(of: text)
            return text.utf8.count - skipped == length && identity.principalHas(text, skipping: skipped, at: 0)
        case .prefix(let text):
            let skipped = Self.schemeLength(of: text)
            return text.utf8.count - skipped <= length && identity.principalHas(text, skipping: skipped, at: 0)
        case .suffix(let text):
            let surplus = length - text.utf8.count
            return surplus >= 0 && identity.principalHas(text, skipping: 0, at: surplus)
        }
    }

    private static func schemeLength(of text: String) -> Int {
        let scheme = "spiffe://".utf8
        return text.utf8.starts(with: scheme) ? scheme.count : 0
    }
}

private let namespaceMark = "/ns/"
private let serviceAccountMark = "/sa/"

extension SPIFFEID {
    fileprivate var principalLength: Int {
        trustDomain.name.utf8.count + namespaceMark.utf8.count + namespace.utf8.count + serviceAccountMark.utf8.count
            + serviceAccount.utf8.count
    }

    /// Whether `text`, but for its first `skipped` bytes, stands at byte `start` of the principal. It must fit in
    /// there.
    fileprivate func principalHas(_ text: String, skipping skipped: Int, at start: Int) -> Bool {
        let bytes = text.utf8.span.extracting(skipped..<text.utf8.count)
        var partStart = 0
        return Self.agrees(trustDomain.name, &partStart, with: bytes, at: start)
            && Self.agrees(namespaceMark, &partStart, with: bytes, at: start)
            && Self.agrees(namespace, &partStart, with: bytes, at: start)
            && Self.agrees(serviceAccountMark, &partStart, with: bytes, at: start)
            && Self.agrees(serviceAccount, &partStart, with: bytes, at: start)
    }

    /// Whether the part of the principal that begins at `partStart` is the same as `bytes` where they overlap; steps
    /// on to the next part.
    private static func agrees(_ part: String, _ partStart: inout Int, with bytes: Span<UInt8>, at start: Int) -> Bool {
        let part = part.utf8.span
        let first = max(partStart, start)
        let end = min(partStart + part.count, start + bytes.count)
        defer { partStart += part.count }
        guard first < end else { return true }
        for position in first..<end where part[position - partStart] != bytes[position - start] { return false }
        return true
    }
}
