/// Something wrong with a manifest, as the log and `status` print it: where it is, what it is about, and what to do.
package struct ManifestProblem: Hashable, Sendable {
    /// An error keeps the object's last good state in force; a warning does not stop the object.
    package enum Severity: String, Hashable, Sendable {
        /// The object is in force; the part named is not, or not as written.
        case warning
        /// The object as written is not in force; its last good state is, if there is one.
        case error
    }

    /// What it is about, where people look for the same in many objects.
    package enum Topic: Hashable, Sendable, CaseIterable {
        /// Everything else.
        case other
        /// A field that nothing reads.
        case unknownField
        /// An object of a kind that nothing reads.
        case unknownKind
        /// Pods that stay out of the mesh against what seems to be meant.
        case notEnrolled
        /// An object that another one overrules.
        case overruled
    }

    /// The file as the source names it.
    package var file: String
    /// Line in the file, from 1; 0 if the problem is the file as a whole.
    package var line: Int
    /// Path of the field, such as `spec.rules[0].from[1].source.principals[0]`; empty if it is no field's.
    package var field: String
    /// What is wrong, and what to do about it: one sentence or two, without control characters.
    package var reason: String
    package var severity: Severity
    /// The object it is about, such as `Pod shop/web`; nil if that could not be told.
    package var object: String?
    /// What it is about.
    package var topic: Topic

    package init(
        file: String, line: Int = 0, field: String = "", reason: String, severity: Severity = .error,
        object: String? = nil, topic: Topic = .other
    ) {
        self.file = file
        self.line = line
        self.field = field
        self.reason = reason
        self.severity = severity
        self.object = object
        self.topic = topic
    }
}

extension ManifestProblem: CustomStringConvertible {
    /// `FILE:LINE: SEVERITY: OBJECT: FIELD: REASON`, without the parts that are not known.
    package var description: String {
        let place = line > 0 ? "\(file):\(line)" : file
        let parts = [place, severity.rawValue, object ?? "", field, reason]
        return parts.filter { !$0.isEmpty }.joined(separator: ": ")
    }
}

extension ManifestProblem: Comparable {
    /// By file, line, field, reason: the order in which people read them.
    package static func < (lhs: Self, rhs: Self) -> Bool {
        (lhs.file, lhs.line, lhs.field, lhs.reason, lhs.object ?? "")
            < (rhs.file, rhs.line, rhs.field, rhs.reason, rhs.object ?? "")
    }
}

/// Text from a manifest as a reason may quote it: control characters escaped, so that a manifest cannot forge log
/// lines, and no longer than 80 characters.
func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars.prefix(80) {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
            result += "\\u{\(String(scalar.value, radix: 16))}"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + (text.unicodeScalars.count > 80 ? "...\"" : "\"")
}
