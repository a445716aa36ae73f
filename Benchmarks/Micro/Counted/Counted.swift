import Foundation
import MicroSubjects

/// Runs one subject so many times as it says, or with `twice` behind its name twice as often, for a tool that counts
/// instructions between entry and exit of `countedIterations`. Without a name it lists the subjects: name, iterations and
/// summary, separated by tabs.
@main
enum Counted {
    static func main() {
        guard let name = CommandLine.arguments.dropFirst().first else {
            for subject in Subject.all { print(subject.name, subject.iterations, subject.summary, separator: "\t") }
            return
        }
        guard let subject = Subject.all.first(where: { $0.name == name }) else { fail("there is no subject '\(name)'") }
        do {
            let run = try subject.prepare()
            // Collections reach the sizes that they keep, and what is made once is made.
            try run(subject.iterations / 10)
            let isTwice = CommandLine.arguments.dropFirst(2).first == "twice"
            try countedIterations(isTwice ? 2 * subject.iterations : subject.iterations, run)
        } catch {
            fail("\(name): \(error)")
        }
    }

    private static func fail(_ text: String) -> Never {
        FileHandle.standardError.write(Data((text + "\n").utf8))
        exit(1)
    }
}

/// What is counted; the tool finds it by this name.
@inline(never)
func countedIterations(_ count: Int, _ run: (Int) throws -> Void) throws {
    try run(count)
}
