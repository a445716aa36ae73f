import Foundation

/// Connections one after the other from one pod to another, some at once, for as long as the object lives.
final class ContinuousLoad {
    private let client: Dialogue

    /// What became of the connections since the last look.
    struct Count {
        let answered: Int
        /// How the others went, how often, and when for the first time; empty if there are none.
        let failures: [String]
    }

    init(_ mesh: IdentityMesh, from pod: TestPod, to peer: TestPod, seconds: Int = 180) throws {
        client = try Dialogue(
            mesh.machine, in: pod.name,
            #"""
            answered, failures, lock = [0], {}, threading.Lock()
            def run():
                while True:
                    got = outcome("\#(mesh.machine.v4(peer))", \#(PodServer.echo), b"x")
                    with lock:
                        if got == "x|eof":
                            answered[0] += 1
                        else:
                            failures.setdefault(got, []).append(time.strftime("%H:%M:%S"))
                    time.sleep(0.03)
            for i in range(3):
                threading.Thread(target=run, daemon=True).start()
            for order in sys.stdin:
                with lock:
                    print(json.dumps([answered[0], [
                        "%s, %d times, %s to %s" % (how, len(at), at[0], at[-1]) for how, at in failures.items()]]))
                    answered[0], failures = 0, {}
            """#,
            seconds: seconds)
    }

    /// What became of those that ended since the last call.
    func count() throws -> Count {
        let text = try client.say("count")
        guard let pair = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [Any], pair.count == 2,
            let answered = pair[0] as? Int, let failures = pair[1] as? [String]
        else { throw CommandFailed(description: "the load said \(text)") }
        return Count(answered: answered, failures: failures)
    }
}
