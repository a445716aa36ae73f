/// Columns as kubectl writes them: upper-case headers without spaces, three blanks between columns, nothing after the
/// last.
struct Table {
    private var rows: [[String]]
    private let gap: Int

    init(_ headers: [String], gap: Int = 3) {
        rows = [headers]
        self.gap = gap
    }

    /// One row; cells are made printable, and an empty one shows as `-`.
    mutating func append(_ cells: [String]) {
        rows.append(cells.map { $0.isEmpty ? "-" : Printable.text($0) })
    }

    /// All rows, each with a line end.
    var text: String {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.count)
            }
        }
        return rows.map { line(of: $0, widths) + "\n" }.joined()
    }

    private func line(of row: [String], _ widths: [Int]) -> String {
        var line = ""
        for (cell, width) in zip(row, widths) {
            line += cell + String(repeating: " ", count: width - cell.count + gap)
        }
        return String(line.reversed().drop { $0 == " " }.reversed())
    }
}
