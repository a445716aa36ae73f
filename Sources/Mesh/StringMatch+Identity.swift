extension StringMatch {
    /// Compares with an identity as policies spell it (`td/ns/NS/sa/SA`), byte by byte and without building that
    /// text. A pattern that was written with `spiffe://` means the same as one without.
    package func matches(_ identity: SPIFFEID) -> Bool {
        switch self {
        case .presence: true
        case .exact(let text): identity.principalBytes.elementsEqual(Self.withoutScheme(text))
        case .prefix(let text): identity.principalBytes.starts(with: Self.withoutScheme(text))
        case .suffix(let text): identity.principalEnds(with: text.utf8)
        }
    }

    private static func withoutScheme(_ text: String) -> Substring.UTF8View {
        let scheme = "spiffe://".utf8
        return text.utf8.starts(with: scheme) ? text.utf8.dropFirst(scheme.count) : text.utf8[...]
    }
}

extension SPIFFEID {
    /// The bytes of `principal`, one after the other out of its parts.
    fileprivate var principalBytes: PrincipalBytes { PrincipalBytes(self) }

    fileprivate func principalEnds(with suffix: String.UTF8View) -> Bool {
        let surplus = principalBytes.count - suffix.count
        guard surplus >= 0 else { return false }
        return principalBytes.dropFirst(surplus).elementsEqual(suffix)
    }
}

/// An identity's principal as a sequence of bytes that is never put together.
private struct PrincipalBytes: Sequence, IteratorProtocol {
    private let identity: SPIFFEID
    private var part = 0
    private var bytes: String.UTF8View.Iterator

    init(_ identity: SPIFFEID) {
        self.identity = identity
        bytes = identity.trustDomain.name.utf8.makeIterator()
    }

    var count: Int {
        identity.trustDomain.name.utf8.count + identity.namespace.utf8.count + identity.serviceAccount.utf8.count
            + "/ns/".utf8.count + "/sa/".utf8.count
    }

    mutating func next() -> UInt8? {
        while true {
            if let byte = bytes.next() { return byte }
            part += 1
            switch part {
            case 1: bytes = "/ns/".utf8.makeIterator()
            case 2: bytes = identity.namespace.utf8.makeIterator()
            case 3: bytes = "/sa/".utf8.makeIterator()
            case 4: bytes = identity.serviceAccount.utf8.makeIterator()
            default: return nil
            }
        }
    }
}
