import Benchmark
import MicroSubjects

/// The subjects under the benchmark library: instructions where the machine counts them, and wall time to read, which
/// no threshold is made of.
let benchmarks: @Sendable () -> Void = {
    for subject in Subject.all {
        Benchmark(
            subject.name,
            configuration: .init(
                metrics: [.instructions, .wallClock, .throughput], scalingFactor: .one, maxDuration: .seconds(1),
                maxIterations: 100)
        ) { benchmark in
            do {
                let run = try subject.prepare()
                try run(subject.iterations / 10)
                for _ in benchmark.scaledIterations {
                    benchmark.startMeasurement()
                    try run(subject.iterations)
                    benchmark.stopMeasurement()
                }
            } catch {
                benchmark.error("\(subject.name): \(error)")
            }
        }
    }
}
