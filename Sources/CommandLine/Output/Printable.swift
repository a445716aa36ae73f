/// Text that came from elsewhere, made safe for a terminal.
enum Printable {
    /// Control characters and the marks that turn the direction of text are spelled out: a name in a manifest must not
    /// be able to move the cursor or to look like another name.
    static func text(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isDangerous) else { return text }
        var printable = ""
        for scalar in text.unicodeScalars {
            if isDangerous(scalar) {
                printable += "\\u{" + String(scalar.value, radix: 16) + "}"
            } else {
                printable.unicodeScalars.append(scalar)
            }
        }
        return printable
    }

    private static func isDangerous(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
