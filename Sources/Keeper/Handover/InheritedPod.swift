/// One pod, as one agent leaves it to the next.
package struct InheritedPod: Hashable, Sendable {
    /// How far its capture is.
    package enum State: Hashable, Sendable {
        /// Nothing is open. No descriptor comes with it.
        case searching
        /// With four descriptors: its network namespace and the listeners of 15001, 15006 and 15008.
        case captured
        /// With its network namespace only: captured connections have this long to end.
        case withdrawing(milliseconds: UInt32)
    }

    /// How it is to be captured; its addresses may be missing where the runtime told of it.
    package var wish: PodWish
    /// Whether a controller still wants it, and named it; one that is only the runtime's is not dropped until then.
    package var isNamed: Bool
    /// The runtime's name for its sandbox; empty where the runtime did not tell of it.
    package var containerID: String
    /// How far its capture is.
    package var state: State
    /// Where its namespace was last seen.
    package var namespacePath: String
    /// How often its rules were set right.
    package var repairs: UInt32
    /// How many connections of before its capture were told in the messages before this one.
    package var earlierCount: UInt32

    package init(
        wish: PodWish, isNamed: Bool, containerID: String, state: State, namespacePath: String, repairs: UInt32,
        earlierCount: UInt32
    ) {
        self.wish = wish
        self.isNamed = isNamed
        self.containerID = containerID
        self.state = state
        self.namespacePath = namespacePath
        self.repairs = repairs
        self.earlierCount = earlierCount
    }

    var descriptorCount: Int {
        switch state {
        case .searching: 0
        case .captured: 4
        case .withdrawing: 1
        }
    }

    init(reader: inout MessageReader) throws(KeeperError) {
        wish = try PodWish(reader: &reader, needsAddress: false)
        isNamed = try reader.flag()
        containerID = try reader.text(limit: MessageLimits.containerID)
        switch try reader.number(UInt8.self) {
        case 1: state = .searching
        case 2: state = .captured
        case 3: state = .withdrawing(milliseconds: try reader.drainMilliseconds())
        case let other: throw .malformed("pod state \(other)")
        }
        namespacePath = try reader.path()
        repairs = try reader.number(UInt32.self)
        earlierCount = try reader.number(UInt32.self)
    }

    func write(to writer: inout MessageWriter) throws(KeeperError) {
        try wish.write(to: &writer, needsAddress: false)
        writer.flag(isNamed)
        try writer.text(containerID, limit: MessageLimits.containerID)
        switch state {
        case .searching: writer.number(UInt8(1))
        case .captured: writer.number(UInt8(2))
        case .withdrawing(let milliseconds):
            writer.number(UInt8(3))
            writer.number(min(milliseconds, MessageLimits.drainMilliseconds))
        }
        try writer.path(namespacePath)
        writer.number(repairs)
        writer.number(earlierCount)
    }
}
