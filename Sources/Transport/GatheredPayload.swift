/// Where the payload of one stream lies in what was received.
struct GatheredPayload {
    private(set) var token = -1
    /// In order.
    private(set) var places: ContiguousArray<Range<Int>> = []

    mutating func add(_ place: Range<Int>, of token: Int) {
        self.token = token
        places.append(place)
    }

    /// Keeps the memory.
    mutating func removeAll() {
        token = -1
        places.removeAll(keepingCapacity: true)
    }
}
