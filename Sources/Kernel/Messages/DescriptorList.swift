internal import Glibc

/// Descriptors that this object owns: a `~Copyable` value cannot stand in an array. Closed when the object
/// ends, but for those that were taken.
package final class DescriptorList: @unchecked Sendable {
    // @unchecked: it is handed on whole; whoever holds it is the only one who touches it.
    private var numbers: [Int32]

    /// Takes ownership of `numbers`, each open and owned by nobody else.
    package init(owning numbers: [Int32] = []) {
        self.numbers = numbers
    }

    deinit {
        for number in numbers where number >= 0 { close(number) }
    }

    /// How many there were at first; those taken still count.
    package var count: Int { numbers.count }

    /// The number at `index`, for a system call while this object lives; nil if taken or out of range.
    package func raw(at index: Int) -> Int32? {
        guard numbers.indices.contains(index), numbers[index] >= 0 else { return nil }
        return numbers[index]
    }

    /// All that were not taken, in order, for a system call while this object lives.
    package var rawNumbers: [Int32] { numbers.filter { $0 >= 0 } }

    /// Gives up the one at `index`; nil if it was taken before or is out of range.
    package func take(at index: Int) -> Descriptor? {
        guard let number = raw(at: index) else { return nil }
        numbers[index] = -1
        return Descriptor(owning: number)
    }

    /// Adds one at the end.
    package func append(_ descriptor: consuming Descriptor) {
        numbers.append(descriptor.release())
    }
}
