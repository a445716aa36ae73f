import Addressing

/// The same destinations without overlaps: the kernel refuses a set of intervals two of which overlap, and a pod's
/// annotation must not be able to make its enrolment fail.
struct DisjointDestinations {
    private(set) var destinations: Set<ExcludedDestination> = []

    /// Two prefixes are nested or disjoint, so it is enough to take from each the ports of those that contain it.
    init(_ overlapping: Set<ExcludedDestination>) {
        let portsByPrefix = Dictionary(grouping: overlapping, by: \.prefix).mapValues { Ports($0.map(\.ports)) }
        for (prefix, ports) in portsByPrefix {
            var remaining = ports
            for length in 0..<prefix.length {
                guard let wider = IPPrefix(prefix.address, length: length), let taken = portsByPrefix[wider] else {
                    continue
                }
                remaining.subtract(taken)
            }
            for range in remaining.ranges { destinations.insert(ExcludedDestination(prefix, ports: range)) }
        }
    }

    /// Port ranges in ascending order that neither overlap nor touch.
    private struct Ports {
        private(set) var ranges: [ClosedRange<UInt16>] = []

        init(_ overlapping: [ClosedRange<UInt16>]) {
            for range in overlapping.sorted(by: { $0.lowerBound < $1.lowerBound }) {
                if let last = ranges.last, Int(range.lowerBound) <= Int(last.upperBound) + 1 {
                    ranges[ranges.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
                } else {
                    ranges.append(range)
                }
            }
        }

        mutating func subtract(_ other: Ports) {
            for taken in other.ranges {
                ranges = ranges.flatMap { range -> [ClosedRange<UInt16>] in
                    guard range.overlaps(taken) else { return [range] }
                    var rest: [ClosedRange<UInt16>] = []
                    if range.lowerBound < taken.lowerBound { rest.append(range.lowerBound...(taken.lowerBound - 1)) }
                    if range.upperBound > taken.upperBound { rest.append((taken.upperBound + 1)...range.upperBound) }
                    return rest
                }
            }
        }
    }
}
