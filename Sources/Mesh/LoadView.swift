/// What a client knows of the endpoints' present load; read while an endpoint is chosen.
package protocol LoadView {
    /// How many connections the asker has open to that endpoint now.
    func activeConnections(to endpoint: WorkloadUID) -> Int
    /// Whether the endpoint failed repeatedly and is left out for now. If all are, none is.
    func isEjected(_ endpoint: WorkloadUID) -> Bool
}

/// Knows of no load: all endpoints look idle and well.
package struct NoLoad: LoadView {
    package init() {}
    package func activeConnections(to endpoint: WorkloadUID) -> Int { 0 }
    package func isEjected(_ endpoint: WorkloadUID) -> Bool { false }
}
