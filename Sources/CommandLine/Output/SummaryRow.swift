/// A line of a status: a title, one word that says it all, and the rest.
enum SummaryRow {
    /// Columns of the title and of the word.
    private static let titleWidth = 12
    private static let wordWidth = 11

    /// The line, and more if the text is long, each with a line end.
    static func text(_ title: String, _ word: String, _ text: String, _ palette: Palette, _ mood: Palette.Mood?)
        -> String
    {
        let name = title + String(repeating: " ", count: max(0, titleWidth - title.count))
        // The blanks are counted on the bare word: colours take no columns.
        let word = Printable.text(word)
        let column = titleWidth + max(wordWidth, word.count + 1)
        let blanks = String(repeating: " ", count: max(1, wordWidth - word.count))
        let margin = String(repeating: " ", count: titleWidth + wordWidth)
        let wrapped = Paragraph.text(first: String(repeating: " ", count: column), indent: margin.count, text)
        let painted = mood.map { palette.paint(word, $0) } ?? word
        guard !text.isEmpty else { return name + painted + "\n" }
        return name + painted + blanks + wrapped.dropFirst(column)
    }
}
