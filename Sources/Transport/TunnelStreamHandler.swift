/// Told what happens on a tunnel stream; always on its loop.
package protocol TunnelStreamHandler: AnyObject {
    /// The CONNECT is on its way in a tunnel; bytes may follow it. Told again if that tunnel was of no use and another
    /// is tried: nothing that was sent before has been looked at.
    func streamOpened(_ stream: TunnelStream)
    /// The peer answered 200: the application at the far end accepted.
    func streamAccepted()
    /// The peer answered with another status. The stream is over.
    func streamRefused(status: Int)
    /// Payload came. It is taken whole; credit goes back by `TunnelStream.consumed`. Valid only during the call.
    func streamReceived(_ bytes: RawSpan)
    /// As `streamReceived(_:)`, for payload that lies in several places of `bytes`: that of all frames which came at once.
    func streamReceived(_ bytes: RawSpan, at places: Span<Range<Int>>)
    /// The peer ended its direction.
    func streamFinished()
    /// The peer cut the stream: what a RST of its TCP connection looks like. The stream is over.
    func streamReset()
    /// The tunnel under the stream ended, or could not be made. The stream is over.
    func streamLost(_ failure: TunnelFailure)
    /// Bytes may be sent again, after `send` said `.blocked`.
    func streamWritable()
}

extension TunnelStreamHandler {
    package func streamOpened(_ stream: TunnelStream) {}

    package func streamReceived(_ bytes: RawSpan, at places: Span<Range<Int>>) {
        for index in places.indices { streamReceived(bytes.extracting(places[index])) }
    }
}
