import FoundationEssentials

extension NodeReport {
    /// - Throws: `notRepresentable` if it is too long.
    var message: Meshnode_Wire_NodeReport {
        get throws(XDSError) {
            guard json.count <= Self.maximumLength else {
                throw XDSError(
                    .notRepresentable,
                    "the report of node '\(node)' has \(json.count) bytes, more than \(Self.maximumLength)")
            }
            var message = Meshnode_Wire_NodeReport()
            message.node = node
            message.takenAt = takenAt
            message.json = Data(json)
            return message
        }
    }

    init(_ message: Meshnode_Wire_NodeReport) throws(XDSError) {
        guard message.json.count <= Self.maximumLength else {
            throw XDSError(.malformedMessage, "a node's report has \(message.json.count) bytes")
        }
        self.init(node: message.node, takenAt: message.takenAt, json: Array(message.json))
    }
}

extension MeshReport {
    var message: Meshnode_Wire_MeshReport {
        get throws(XDSError) {
            var message = Meshnode_Wire_MeshReport()
            message.id = id
            message.controllerJson = Data(controllerJSON)
            for node in nodes {
                var entry = Meshnode_Wire_MeshReport.Entry()
                entry.report = try node.report.message
                entry.ageInMilliseconds = node.ageInMilliseconds
                entry.isConnected = node.isConnected
                message.nodes.append(entry)
            }
            return message
        }
    }

    init(_ message: Meshnode_Wire_MeshReport) throws(XDSError) {
        self.init(id: message.id, controllerJSON: Array(message.controllerJson))
        for entry in message.nodes {
            nodes.append(
                Entry(
                    report: try NodeReport(entry.report), ageInMilliseconds: entry.ageInMilliseconds,
                    isConnected: entry.isConnected))
        }
    }
}
