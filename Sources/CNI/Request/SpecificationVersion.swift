/// A version of the CNI specification that is spoken here.
package enum SpecificationVersion: String, CaseIterable, Comparable, Sendable {
    // In the order of their age. The results of 0.3.0 through 1.1.0 differ in nothing that is read or written here.
    case v030 = "0.3.0"
    case v031 = "0.3.1"
    case v040 = "0.4.0"
    case v100 = "1.0.0"
    case v110 = "1.1.0"

    /// Spoken where no version is asked for that is known.
    package static let newest = SpecificationVersion.v110

    private var age: Int { Self.allCases.firstIndex(of: self) ?? 0 }

    package static func < (lhs: Self, rhs: Self) -> Bool { lhs.age < rhs.age }
}
