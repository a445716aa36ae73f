internal import Agent

// The lower half of the status: what is wrong, and what to do about it.
extension StatusReport {
    /// Pods that are to be captured and are not; ten of them unless all were asked for.
    func missingPods(_ isWide: Bool) -> String {
        let missing = pods.failed.map { ("failed", $0) } + pods.pending.map { ("pending", $0) }
        guard !missing.isEmpty else { return "" }
        let shown = isWide ? missing : Array(missing.prefix(10))
        var text = "NOT CAPTURED\n"
        for (state, pod) in shown {
            text += Paragraph.text(first: " ", indent: 8, "\(pod.pod): \(state): \(pod.reason)")
        }
        return shown.count < missing.count ? text + " ... \(missing.count - shown.count) more: -o wide\n" : text
    }

    /// Where to look next.
    var next: String {
        verdict == .ok
            ? "Next: meshnode workloads | meshnode connections | meshnode policies\n"
            : "Next: meshnode workloads -o wide | meshnode connections | docs/problems.md\n"
    }

    static func mood(_ verdict: Verdict) -> Palette.Mood {
        switch verdict {
        case .ok: .good
        case .starting: .doubtful
        case .degraded, .down: .bad
        }
    }

    static func mood(_ state: ControllerStatus.State) -> Palette.Mood {
        switch state {
        case .connected: .good
        case .connecting, .unknown: .doubtful
        case .lost: .bad
        }
    }

    static func mood(_ state: AuthorityStatus.State) -> Palette.Mood {
        switch state {
        case .ok: .good
        case .unknown: .doubtful
        case .failing: .bad
        }
    }
}
