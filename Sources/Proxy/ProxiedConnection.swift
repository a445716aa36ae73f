internal import Mesh
internal import Telemetry

/// A connection that the proxy knows of, from its first packet to its last.
protocol ProxiedConnection: AnyObject {
    var id: UInt64 { get }
    /// Bytes flow: it was accepted at both ends.
    var isOpen: Bool { get }
    /// Its record as of now.
    var current: ConnectionRecord { get }
    /// Adds the bytes carried since the last time to the metrics.
    func countBytes()
    /// Asks the policies again, and closes the connection if they now refuse it.
    func reevaluate()
    /// Ends it with a reset, for `reason`.
    func close(_ reason: Reason, _ detail: String)
}
