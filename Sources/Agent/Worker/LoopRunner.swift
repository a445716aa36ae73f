internal import Addressing
internal import Identity
internal import Keeper
internal import Kernel
internal import Mesh
internal import Proxy
internal import Synchronization
internal import Telemetry
internal import Transport

/// One thread of the data path: an event loop, its proxy, and its own channel to the keeper. Only values cross to it
/// and back, by `post`.
final class LoopRunner: @unchecked Sendable {
    // @unchecked: `proxy` and `channel` are touched only on the loop's thread; `loop.post` may be called from any.
    private let loop: EventLoop
    private let proxy: ProxyLoop
    private let channel: KeeperChannel<KeeperToLoop, LoopToKeeper>
    private let index: Int

    /// How often open connections tell what they carried.
    private static let countingInterval = Duration.seconds(2)

    /// - Parameters:
    ///   - limits: the same for all loops of the worker.
    ///   - balance: the same for all loops of the worker.
    init(
        index: Int, channel socket: consuming MessageSocket, journal: ConnectionJournal, limits: LimitLedger,
        balance: LoopBalance
    ) throws {
        self.index = index
        let loop = try EventLoop()
        let channel = KeeperChannel<KeeperToLoop, LoopToKeeper>(socket, loop: loop)
        self.loop = loop
        self.channel = channel
        proxy = ProxyLoop(
            index: index, loop: loop, journal: journal, wallClock: { WallClock.secondsSince1970 }, limits: limits,
            balance: balance
        ) { uid, family, count in
            channel.send(.requestSockets(uid, family, count: min(count, MessageLimits.sockets)))
        }
    }

    /// The thread's body: serves until `stop`.
    ///
    /// - Parameter channelEnded: called on the loop, with the cause, when its channel to the keeper ends.
    func run(channelEnded: @escaping @Sendable (String) -> Void = { _ in }) throws {
        let ticker = Ticker(loop: loop, interval: Self.countingInterval) { [proxy] in proxy.countBytes() }
        ticker.start()
        try channel.start { [self] message, descriptors in
            received(message, descriptors)
        } onLost: { [self] message in
            lost(message)
        } onEnd: { [proxy] cause in
            // What runs, runs on; another worker takes the place of this one.
            proxy.keeperLost()
            channelEnded(cause)
        }
        try loop.run()
        ticker.stop()
    }

    private func received(_ message: KeeperToLoop, _ descriptors: DescriptorList) {
        switch message {
        case .podEnrolled(let uid):
            guard let outbound = descriptors.take(at: 0), let plaintext = descriptors.take(at: 1),
                let hbone = descriptors.take(at: 2)
            else { return }
            proxy.podEnrolled(uid, outbound: outbound, inboundPlaintext: plaintext, hbone: hbone)
        case .podWithdrawn(let uid): proxy.podWithdrawn(uid)
        case .sockets(let uid, let family, let count):
            let sockets = (0..<count).compactMap { index in descriptors.take(at: index)?.release() }
            proxy.socketsArrived(uid, family, sockets)
        case .socketsFailed(let uid, let family, let code): proxy.socketsRefused(uid, family, errorNumber: code)
        case .drain(let milliseconds): proxy.drain(within: .milliseconds(Int(milliseconds))) {}
        }
    }

    /// There was no room for the descriptors of `message`; false if the loop is of no use without them.
    private func lost(_ message: KeeperToLoop) -> Bool {
        // Who waits for a socket is refused; those who have theirs go on.
        guard case .sockets(let uid, let family, _) = message else { return false }
        proxy.socketsRefused(uid, family, errorNumber: SystemError.descriptorsExhausted)
        return true
    }

    // MARK: From the control thread

    func update(_ snapshot: MeshSnapshot) {
        loop.post { [self] in proxy.update(snapshot) }
    }

    /// Takes a new certificate; `failed` is called on the loop if OpenSSL refuses it.
    func update(_ svid: SVID, failed: @escaping @Sendable (String) -> Void) {
        loop.post { [self] in
            do {
                try proxy.identities.update(svid)
                proxy.identitiesChanged()
            } catch {
                failed("\(error)")
            }
        }
    }

    func update(_ bundles: TrustBundles) {
        loop.post { [self] in
            proxy.identities.update(bundles)
            proxy.identitiesChanged()
        }
    }

    /// Nobody on this node has the identity any more.
    func remove(_ identity: SPIFFEID) {
        loop.post { [self] in
            proxy.identities.remove(identity)
            proxy.identitiesChanged()
        }
    }

    /// The identity has no certificate to show any more: new connections are refused for `absence` until one comes.
    func remove(_ identity: SPIFFEID, because absence: CertificateAbsence) {
        loop.post { [self] in
            proxy.identities.remove(identity, because: absence)
            proxy.identitiesChanged()
        }
    }

    /// Calls `body`, on the loop, with the open connections.
    func openConnections(_ body: @escaping @Sendable ([ConnectionRecord]) -> Void) {
        loop.post { [self] in body(proxy.openConnections) }
    }

    /// Accepts no more; `done` is called on the loop when nothing runs any more.
    func drain(_ done: @escaping @Sendable () -> Void) {
        loop.post { [self] in proxy.drain(done) }
    }

    /// Ends what still runs, and the thread.
    func stop() {
        loop.post { [self] in
            proxy.countBytes()
            proxy.shutDown()
            loop.stop()
        }
    }
}
