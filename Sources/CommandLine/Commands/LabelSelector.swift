internal import Agent

/// `-l app=web,tier=front`: labels that a pod must have.
struct LabelSelector: Equatable {
    private let wanted: [String: String]

    /// - Throws: a `CommandError` if it is no list of `label=value`.
    init(_ text: String) throws {
        var wanted: [String: String] = [:]
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2, !sides[0].isEmpty, !sides[0].hasSuffix("!"), !sides[1].hasPrefix("=") else {
                throw CommandError(.usage, "-l takes label=value, several with commas: not '\(part)'")
            }
            wanted[String(sides[0])] = String(sides[1])
        }
        self.wanted = wanted
    }

    /// The pods that have them all.
    /// - Throws: a `CommandError` if a label is none of those that agents are told of: no pod would have it, and that
    ///   would look like an answer.
    func kept(_ report: WorkloadsReport) throws -> WorkloadsReport {
        let known = Set(report.items.flatMap { ($0.labels ?? [:]).keys })
        for label in wanted.keys.sorted() where !known.contains(label) {
            let list = known.isEmpty ? "none" : known.sorted().joined(separator: ", ")
            throw CommandError(.usage, "agents are not told of the label '\(label)'; they know: \(list)")
        }
        return WorkloadsReport(
            time: report.time, node: report.node,
            items: report.items.filter { item in wanted.allSatisfy { item.labels?[$0.key] == $0.value } })
    }
}
