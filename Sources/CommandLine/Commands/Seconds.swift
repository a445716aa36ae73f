internal import ArgumentParser

/// A span of time as a person writes it: `30s`, `5m`, `2h`.
struct Seconds: ExpressibleByArgument, Equatable {
    let seconds: Int

    init(_ seconds: Int) { self.seconds = seconds }

    /// Nil unless it is digits and one of `s`, `m`, `h`, and fits.
    init?(argument: String) {
        guard let unit = argument.last, let factor = ["s": 1, "m": 60, "h": 3_600][unit],
            let count = Int(argument.dropLast()), count >= 0, !argument.hasPrefix("+")
        else { return nil }
        let (product, isTooLarge) = count.multipliedReportingOverflow(by: factor)
        guard !isTooLarge else { return nil }
        seconds = product
    }

    var defaultValueDescription: String { "\(seconds)s" }
}
