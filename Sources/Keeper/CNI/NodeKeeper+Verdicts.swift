extension NodeKeeper {
    /// The controller has answered.
    func podJudged(_ verdict: PodVerdict) {}
}
