/// Running text, broken between words so that it fits 80 columns.
enum Paragraph {
    /// - Parameters:
    ///   - first: what the first line begins with.
    ///   - indent: blanks that the others begin with.
    ///   - text: the words; made printable here.
    /// - Returns: the lines, each with a line end.
    static func text(first: String, indent: Int, _ text: String, width: Int = 80) -> String {
        var lines: [String] = []
        var line = first
        var hasWord = false
        for word in Printable.text(text).split(separator: " ") {
            if hasWord, line.count + 1 + word.count > width {
                lines.append(line)
                line = String(repeating: " ", count: indent) + word
            } else {
                line += (hasWord || line.last == " " || line.isEmpty ? "" : " ") + (hasWord ? " " : "") + word
            }
            hasWord = true
        }
        lines.append(line)
        return lines.map { $0 + "\n" }.joined()
    }
}
