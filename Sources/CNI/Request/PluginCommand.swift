/// What a runtime asks for (CNI specification 1.1, section 2).
package enum PluginCommand: String, CaseIterable, Sendable {
    case add = "ADD"
    case delete = "DEL"
    case check = "CHECK"
    case collectGarbage = "GC"
    case status = "STATUS"
    case version = "VERSION"

    /// The first version of the specification that has it.
    package var since: SpecificationVersion {
        switch self {
        case .add, .delete, .version: .v030
        case .check: .v040
        case .collectGarbage, .status: .v110
        }
    }

    /// Whether it is about one attachment: a container and its interface.
    var namesAttachment: Bool {
        switch self {
        case .add, .delete, .check: true
        case .collectGarbage, .status, .version: false
        }
    }
}
