internal import Bytes
internal import HTTP
internal import Identity
internal import Kernel
internal import Mesh
internal import TLS
internal import Tunnel

extension TunnelLink {
    package func timerFired(at now: ContinuousClock.Instant) {
        timer = nil
        guard isEstablished else {
            return end(
                TunnelFailure(
                    .upstreamTimeout, "TLS handshake with \(peerText) did not finish in time", mayRetryElsewhere: true))
        }
        if let cut, now >= cut.deadline { return end(cut.failure) }
        if let retirement, now >= retirement { retire() }
        do throws(TunnelError) {
            try session.timerFired(at: now)
        } catch {
            return fail(error)
        }
        flush()
        scheduleTimer()
        closeIfOver()
    }

    func scheduleTimer() {
        guard !isOver else { return }
        if let timer { resources.loop.cancel(timer) }
        timerDeadline = session.nextDeadline(at: resources.loop.now)
        if let retirement { timerDeadline = min(timerDeadline, retirement) }
        if let cut { timerDeadline = min(timerDeadline, cut.deadline) }
        timer = resources.loop.schedule(at: timerDeadline, self)
    }

    /// A session that has said its last word and carries nothing is closed.
    func closeIfOver() {
        guard !isOver, isEstablished, session.isOver, plaintext.isEmpty, ciphertext.isEmpty else { return }
        if let fault = session.fault { return fail(fault) }
        end(TunnelFailure(.drain, "the tunnel with \(peerText) was drained", mayRetryElsewhere: true))
    }

    // MARK: Ending

    /// Announces the end: no new streams, those that run, run on.
    package func drain() {
        session.goAway()
        queueFlush()
    }

    /// Ends the link now: GOAWAY, close_notify, FIN. Streams that run are lost.
    package func close() {
        session.goAwayNow()
        flush()
        end(TunnelFailure(.drain, "the tunnel with \(peerText) was closed", mayRetryElsewhere: false))
    }

    package func socketFailed(_ socket: StreamSocket, errorNumber: Int32) {
        let error = SystemError("connect", errorNumber)
        if isEstablished { return end(lostFailure(SystemError.text(of: errorNumber))) }
        let likely = "is it enrolled and its agent running, and does a NetworkPolicy allow TCP port \(MeshPorts.hbone)?"
        end(
            TunnelFailure(
                error.isTimeout ? .upstreamTimeout : .upstreamRefused,
                "tunnel to \(peerText): \(SystemError.text(of: errorNumber)); \(likely)", mayRetryElsewhere: true))
    }

    func lostFailure(_ text: String) -> TunnelFailure {
        let text = session.fault.map { "\(text); \($0.message)" } ?? text
        return TunnelFailure(.peerReset, "tunnel with \(peerText): \(text)", mayRetryElsewhere: !isEstablished)
    }

    func fail(_ error: TLSError) {
        // The alert says the peer why, if it can still be sent.
        ciphertext.withBuffer { tls.flushPending(into: &$0) }
        _ = ciphertext.withBuffer { socket.flush(&$0) }
        if let refusal = verification.refusal {
            end(TunnelFailure(refusal.reason, "\(peerText): \(refusal.text)", mayRetryElsewhere: false))
        } else {
            end(TunnelFailure(error.refusalReason, "TLS with \(peerText): \(error)", mayRetryElsewhere: false))
        }
    }

    func fail(_ error: TunnelError) {
        guard !isDead, !isOver else { return }
        isDead = true
        // The session's last frame is the GOAWAY that tells the peer.
        try? plaintext.withBuffer { buffer throws(TunnelError) in _ = try session.drain(into: &buffer) }
        try? sealOnce()
        // What is asked of a session that has ended fails as misuse; why it ended says more.
        var error = error
        if case .http2 = error.code, let fault = session.fault { error = fault }
        let isSilent = error.code == .peerSilent
        end(
            TunnelFailure(
                error.reason, "HTTP/2 with \(peerText): \(error.message)", mayRetryElsewhere: isSilent,
                abuse: error.abuse))
    }

    func end(_ failure: TunnelFailure) {
        guard !isOver else { return }
        isOver = true
        var failure = failure
        failure.peer = peerIdentity
        if let timer { resources.loop.cancel(timer) }
        timer = nil
        if isEstablished {
            ciphertext.withBuffer { tls.close(into: &$0) }
            _ = ciphertext.withBuffer { socket.flush(&$0) }
        }
        socket.close()
        blocked = []
        let lost = streams
        streams = []
        // Drained or closed by the peer, which says nothing against it: whoever has no answer yet may ask again.
        let isGone = isEstablished && (failure.reason == .drain || failure.reason == .peerReset)
        for stream in lost {
            if isGone { stream?.unprocessed(failure, isCertain: false) } else { stream?.lost(failure) }
        }
        let owner = owner
        self.owner = nil
        owner?.linkEnded(self, failure)
    }
}

extension TunnelError {
    /// How the peer abused HTTP/2, if that is it.
    var abuse: AbuseKind? {
        if case .abuse(let kind) = code { kind } else { nil }
    }

    /// As the log and the metrics name it.
    var reason: Reason {
        switch code {
        case .abuse: .h2Abuse
        case .peerSilent: .upstreamTimeout
        case .http2, .cannotOpenStream: .peerReset
        }
    }
}

extension TLSError {
    /// As the log and the metrics name it, where the peer's certificate was not even looked at.
    var refusalReason: Reason {
        switch code {
        case .badCertificate: .sanMismatch
        default: .peerNotMTLS
        }
    }
}
