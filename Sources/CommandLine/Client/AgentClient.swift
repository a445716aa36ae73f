/// Asks the agent of this node.
package protocol AgentClient {
    /// Asks for one path and waits for the answer.
    /// - Returns: the body of a 200.
    /// - Throws: a `CommandError` whose message says what to do: 4 if no agent answers, 77 if it may not be asked.
    func get(_ path: String) throws -> [UInt8]
}
