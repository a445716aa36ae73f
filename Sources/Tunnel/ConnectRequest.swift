internal import HTTP
package import Mesh

/// What a CONNECT asks for, and the hints that come with it.
package struct ConnectRequest: Hashable, Sendable {
    package var authority: Authority
    /// As it stands in the header; `Baggage(parsing:)` reads it.
    package var baggage: String?
    package var forwarded: Forwarded?
    package var traceParent: TraceParent?

    package init(
        authority: Authority, baggage: String? = nil, forwarded: Forwarded? = nil, traceParent: TraceParent? = nil
    ) {
        self.authority = authority
        self.baggage = baggage
        self.forwarded = forwarded
        self.traceParent = traceParent
    }

    /// Reads a request's fields. The library has checked that CONNECT has an authority and neither scheme nor path.
    ///
    /// - Throws: `NOT_CONNECT` or `BAD_AUTHORITY`; both are answered with 400.
    init(_ fields: HeaderFields) throws(RequestRefusal) {
        guard fields.onlyValue(of: ":method") == "CONNECT", fields.onlyValue(of: ":protocol") == nil else {
            throw RequestRefusal(.notConnect)
        }
        guard let text = fields.onlyValue(of: ":authority"), let authority = Authority(parsing: text) else {
            throw RequestRefusal(.badAuthority)
        }
        self.init(
            authority: authority,
            baggage: fields.onlyValue(of: "baggage"),
            forwarded: fields.onlyValue(of: "forwarded").flatMap(Forwarded.init),
            traceParent: fields.onlyValue(of: "traceparent").flatMap(TraceParent.init))
    }

    /// Writes the request into `block`.
    func write(into block: inout HeaderBlock) {
        block.append(":method", "CONNECT")
        block.append(":authority", authority.description)
        if let baggage, !baggage.isEmpty { block.append("baggage", baggage) }
        if let forwarded { block.append("forwarded", forwarded.description) }
        if let traceParent { block.append("traceparent", traceParent.description) }
    }
}
