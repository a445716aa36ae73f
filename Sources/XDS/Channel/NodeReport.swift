/// What a node has to say about itself; each report replaces the one before it.
package struct NodeReport: Hashable, Sendable {
    /// Longest `json` that is sent or taken, in bytes: 1 MiB.
    package static let maximumLength = 1 << 20

    /// The node's name.
    package var node: String
    /// When it was made: seconds since 1970, by the node's clock.
    package var takenAt: Int64
    /// The report itself; nothing here looks into it. At most `maximumLength` bytes.
    package var json: [UInt8]

    package init(node: String, takenAt: Int64, json: [UInt8]) {
        self.node = node
        self.takenAt = takenAt
        self.json = json
    }
}

/// The last reports of all nodes.
package struct MeshReport: Hashable, Sendable {
    /// One node.
    package struct Entry: Hashable, Sendable {
        /// What it said last.
        package var report: NodeReport
        /// How long ago that came in, by the controller's clock.
        package var ageInMilliseconds: UInt64
        /// Whether it has a session with the controller now.
        package var isConnected: Bool

        package init(report: NodeReport, ageInMilliseconds: UInt64, isConnected: Bool) {
            self.report = report
            self.ageInMilliseconds = ageInMilliseconds
            self.isConnected = isConnected
        }
    }

    /// That of the request.
    package var id: UInt64
    /// In the order of names.
    package var nodes: [Entry]
    /// What the controller has to say about itself; nothing here looks into it.
    package var controllerJSON: [UInt8]

    package init(id: UInt64, nodes: [Entry] = [], controllerJSON: [UInt8] = []) {
        self.id = id
        self.nodes = nodes
        self.controllerJSON = controllerJSON
    }
}
