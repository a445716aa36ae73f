internal import Agent

/// Numbers as people read them; `?` where a number is not known.
enum Quantity {
    static let unknown = "?"

    /// `950`, `4.1k`, `12k`, `3.4M`.
    static func count(_ number: UInt64?) -> String {
        guard let number else { return unknown }
        return scaled(number, by: 1_000, units: ["", "k", "M", "G", "T", "P", "E"])
    }

    /// A count that is not shortened.
    static func exact(_ number: Int?) -> String { number.map { "\($0)" } ?? unknown }

    /// `0`, `512`, `4.0K`, `94M`, `1.5G`: powers of 1,024, as `ls -h` has them.
    static func bytes(_ number: UInt64?) -> String {
        guard let number else { return unknown }
        return scaled(number, by: 1_024, units: ["", "K", "M", "G", "T", "P", "E"])
    }

    private static func scaled(_ number: UInt64, by base: UInt64, units: [String]) -> String {
        var whole = number
        var rest: UInt64 = 0
        var unit = 0
        while whole >= base, unit + 1 < units.count {
            rest = whole % base
            whole /= base
            unit += 1
        }
        guard unit > 0, whole < 10 else { return "\(whole)\(units[unit])" }
        return "\(whole).\(rest * 10 / base)\(units[unit])"
    }

    /// `41s`, `3m`, `5h`, `28d`: the largest unit that fits, cut off, never rounded up.
    static func span(_ seconds: Int64?) -> String {
        guard let seconds else { return unknown }
        let size = seconds.magnitude
        let text =
            switch size {
            case ..<120: "\(size)s"
            case ..<7_200: "\(size / 60)m"
            case ..<172_800: "\(size / 3_600)h"
            default: "\(size / 86_400)d"
            }
        return seconds < 0 ? "-\(text)" : text
    }

    /// How long before `now` it was.
    static func age(of moment: Timestamp?, at now: Timestamp) -> String {
        guard let moment else { return unknown }
        return span(difference(now, moment))
    }

    /// How long after `now` it will be.
    static func left(until moment: Timestamp?, at now: Timestamp) -> String {
        guard let moment else { return unknown }
        return span(difference(moment, now))
    }

    /// `expires in 28d`, `expired 3h ago`.
    static func expiry(of moment: Timestamp?, at now: Timestamp) -> String {
        guard let moment else { return "expires ?" }
        return moment < now ? "expired \(age(of: moment, at: now)) ago" : "expires in \(left(until: moment, at: now))"
    }

    // The report may come from anywhere: a time at the end of the range must not trap.
    private static func difference(_ later: Timestamp, _ earlier: Timestamp) -> Int64 {
        let (difference, overflow) = later.secondsSince1970.subtractingReportingOverflow(earlier.secondsSince1970)
        return overflow ? 0 : difference
    }

    /// `99.97%`, cut off, so that 100 % means all.
    static func share(_ part: UInt64?, of whole: UInt64?) -> String {
        guard let part, let whole, whole > 0, part <= whole else { return unknown }
        guard part < whole else { return "100%" }
        let hundredths = UInt64(Double(part) / Double(whole) * 10_000)
        let digits = "\(hundredths % 100)"
        return "\(hundredths / 100).\(digits.count < 2 ? "0" : "")\(digits)%"
    }

    /// `4.1k/s`: a count over a window.
    static func rate(_ number: UInt64?, over seconds: Int) -> String {
        guard let number, seconds > 0 else { return unknown }
        let perSecond = Double(number) / Double(seconds)
        guard perSecond < 10 else { return count(UInt64(perSecond)) }
        let tenths = Int(perSecond * 10)
        return "\(tenths / 10).\(tenths % 10)"
    }
}
