internal import Agent

/// A report that can be written for people. Pure: the same report gives the same text.
protocol RenderableReport: Report {
    /// The text that a command prints.
    /// - Parameters:
    ///   - isWide: with all columns.
    ///   - elapsed: how long the agent took to answer.
    func text(isWide: Bool, elapsed: Duration, palette: Palette) -> String

    /// The objects, as `kind/namespace/name`.
    var names: [String] { get }

    /// The report with only what belongs to `namespace`; all of it for nil.
    func kept(to namespace: String?) -> Self
}

extension RenderableReport {
    func kept(to namespace: String?) -> Self { self }
}
