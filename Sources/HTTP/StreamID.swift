/// One stream of one session: its number on the wire and where the session keeps its state, so that no call
/// needs a look-up. A value that outlived its stream is recognised and ignored.
package struct StreamID: Hashable, Sendable, CustomStringConvertible {
    /// The stream's number on the wire: odd, as only clients open streams here.
    package let number: Int32
    let slot: Int32

    init(number: Int32, slot: Int32) {
        self.number = number
        self.slot = slot
    }

    package var description: String { String(number) }
}
