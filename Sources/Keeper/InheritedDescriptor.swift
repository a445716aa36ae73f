/// The numbers under which a child of the keeper finds what it inherits. All sockets are nonblocking.
package enum InheritedDescriptor {
    /// What the worker inherits.
    package enum Worker {
        /// SEQPACKET: `KeeperToWorker` in, `WorkerToKeeper` out. Its end means that the keeper is gone: close all
        /// listeners, so that the next keeper can open them, and finish what runs.
        package static let control: Int32 = 3
        /// Stream to the controller; at its end ask for another by `requestControllerStream`.
        package static let controller: Int32 = 4
        /// Unix stream listener of the admin interface.
        package static let adminListener: Int32 = 5
        /// TCP listener for metrics.
        package static let metricsListener: Int32 = 6
        /// TCP listener for readiness.
        package static let readinessListener: Int32 = 7
        /// The sealed memory that the last worker left (`WorkerToKeeper.state`), read-only; `/dev/null` when there is
        /// none.
        package static let state: Int32 = 8
        /// SEQPACKET of event loop 0: `KeeperToLoop` in, `LoopToKeeper` out. Loop `n` has `firstLoop + n`.
        package static let firstLoop: Int32 = 9
    }

    /// What the controller inherits.
    package enum Controller {
        /// SEQPACKET: `ControllerToKeeper` out, `KeeperToController` in. Its end means that the keeper is gone.
        package static let keeper: Int32 = 3
        /// Unix stream listener where workers' streams arrive. SO_PEERCRED names the keeper, which connects for them.
        package static let listener: Int32 = 4
        /// Unix stream listener of the controller's own HTTP interface.
        package static let adminListener: Int32 = 5
        /// TCP listener for gRPC from other nodes; `/dev/null` when the controller serves this node only.
        package static let networkListener: Int32 = 6
    }

    /// The most event loops of a worker: the spawner hands over 64 descriptors.
    package static let maxLoops = 64 - Int(Worker.firstLoop - 3)
}
