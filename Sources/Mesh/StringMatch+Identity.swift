extension StringMatch {
    /// Compares with an identity as policies spell it (`td/ns/NS/sa/SA`), byte by byte and without building that
    /// text. A pattern that was written with `spiffe://` means the same as one without.
    package func matches(_ identity: SPIFFEID) -> Bool {
        let length = identity.principalLength
        switch self {
        case .presence:
            return true
        case .exact(let text):
            // Most policies are about others, and most of those differ in length already.
            let skipped = text.utf8.count - length
            // No trust domain begins with the scheme: what has the principal's length is compared as it is.
            guard skipped == 0 || (skipped == Self.scheme.utf8.count && Self.schemeLength(of: text) == skipped) else {
                return false
            }
            return identity.principalHas(text, skipping: skipped, at: 0)
        case .prefix(let text):
            let skipped = Self.schemeLength(of: text)
            return text.utf8.count - skipped <= length && identity.principalHas(text, skipping: skipped, at: 0)
        case .suffix(let text):
            let surplus = length - text.utf8.count
            return surplus >= 0 && identity.principalHas(text, skipping: 0, at: surplus)
        }
    }

    private static let scheme = "spiffe://"

    private static func schemeLength(of text: String) -> Int {
        text.utf8.starts(with: scheme.utf8) ? scheme.utf8.count : 0
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
        // From the end: the service account is what differs most often.
        var partEnd = principalLength
        return Self.agrees(serviceAccount, &partEnd, with: bytes, at: start)
            && Self.agrees(serviceAccountMark, &partEnd, with: bytes, at: start)
            && Self.agrees(namespace, &partEnd, with: bytes, at: start)
            && Self.agrees(namespaceMark, &partEnd, with: bytes, at: start)
            && Self.agrees(trustDomain.name, &partEnd, with: bytes, at: start)
    }

    /// Whether the part of the principal that ends at `partEnd` is the same as `bytes` where they overlap; steps
    /// back to the part before.
    private static func agrees(_ part: String, _ partEnd: inout Int, with bytes: Span<UInt8>, at start: Int) -> Bool {
        let part = part.utf8.span
        let partStart = partEnd - part.count
        let first = max(partStart, start)
        var position = min(partEnd, start + bytes.count)
        partEnd = partStart
        while position > first {
            position -= 1
            if part[position - partStart] != bytes[position - start] { return false }
        }
        return true
    }
}
