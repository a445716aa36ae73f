/// Colours, or none (ECMA-48, SGR).
package struct Palette: Sendable {
    /// What a word says about the mesh.
    enum Mood {
        case good
        case bad
        case doubtful
        case heading
    }

    /// Whether there are colours at all.
    let isColored: Bool

    package init(isColored: Bool) { self.isColored = isColored }

    func paint(_ text: String, _ mood: Mood) -> String {
        guard isColored else { return text }
        let code =
            switch mood {
            case .good: "32"
            case .bad: "31"
            case .doubtful: "33"
            case .heading: "1"
            }
        return "\u{1b}[\(code)m\(text)\u{1b}[0m"
    }
}
