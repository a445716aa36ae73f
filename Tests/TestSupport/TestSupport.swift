package import Addressing

/// An address that the test itself spelled; a typing error in the test ends the test run.
package func ip(_ text: String) -> IPAddress { IPAddress(text)! }

/// A socket address that the test itself spelled.
package func socketAddress(_ text: String) -> SocketAddress { SocketAddress(text)! }
