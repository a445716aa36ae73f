/// What of a policy's rule needs HTTP and was therefore not taken up as it is written: an ALLOW rule is dropped
/// whole, any other rule keeps its L4 part and matches more than written. Both only deny more.
package struct HTTPPart: Hashable, Sendable {
    /// The rule as the user counts, from 0, dropped ones included.
    package var rule: Int
    /// The rule is not among the policy's rules; else it is there without these fields.
    package var isDropped: Bool
    /// The fields as the user writes them, such as `to[].operation.paths`; each once, in the order of the rule.
    package var fields: [String]

    package init(rule: Int, isDropped: Bool, fields: [String]) {
        self.rule = rule
        self.isDropped = isDropped
        self.fields = fields
    }

    /// `rule 0 dropped: needs a waypoint: to[].operation.paths`.
    package var text: String {
        let effect = isDropped ? "dropped" : "matches more than written"
        return "rule \(rule) \(effect): needs a waypoint: \(fields.joined(separator: ", "))"
    }
}

extension AuthorizationPolicy {
    /// The number that the user knows the rule by: its position among all that are written, from 0.
    ///
    /// - Parameter position: its position among those that are left.
    package func ruleNumber(_ position: Int) -> Int {
        var number = position
        for part in httpParts where part.isDropped && part.rule <= number { number += 1 }
        return number
    }
}
