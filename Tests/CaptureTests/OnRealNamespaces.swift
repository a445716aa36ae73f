import Addressing
import Testing

/// Everything that needs real network namespaces, one at a time.
@Suite(
    .serialized,
    .enabled(if: TestPod.isPossible, "skipped: needs root, ip, nft, python3 and leave to make network namespaces"))
enum OnRealNamespaces {}

/// A prefix that the test itself spelled.
func prefix(_ text: String) -> IPPrefix { IPPrefix(text)! }
