import DataPlaneTestSupport
import Kernel
import TestSupport
import Testing
import Tunnel

@testable import Transport

@Suite struct `A tunnel that is full in both directions` {
    /// Windows open for several streams while payload waits in the same read: what they send then overfills the
    /// outgoing buffer, which is sealed in the middle of the events.
    @Test func `loses and mixes up nothing`() throws {
        let world = try TunnelWorld()
        let streams = try (1...8).map { port in
            let end = try world.accepted(world.open(port: UInt16(port)))
            return (near: end.app, far: try world.application(UInt16(port)))
        }
        let size = 8 << 20
        let work = streams.enumerated().map { index, stream in
            let seed = UInt64(index)
            return (
                up: Work { stream.near.stream(size, seed: 2 * seed) },
                down: Work { stream.far.stream(size, seed: 2 * seed + 1) },
                atFar: Work { stream.far.digestAll() }, atNear: Work { stream.near.digestAll() }
            )
        }
        for work in work {
            let (up, down) = (try work.up.wait(), try work.down.wait())
            let (far, near) = (try work.atFar.wait(), try work.atNear.wait())
            #expect(up.count == size && down.count == size)
            #expect(far.digest == up && far.end == .finished)
            #expect(near.digest == down && near.end == .finished)
        }
        try world.end()
    }
}

@Suite struct `A withdrawn pod` {
    @Test func `has its tunnels drained at both ends while their streams run on`() throws {
        for isDiallingSide in [true, false] {
            let world = try TunnelWorld()
            let client = try world.accepted(world.open())
            let server = try world.application()
            try world.test.on {
                if isDiallingSide { world.pool.drain(from: world.stock) } else { world.acceptor.drain(enrolment: 0) }
                // Of another pod: not meant.
                world.acceptor.drain(enrolment: 1)
            }
            client.app.send([1])
            #expect(server.receive(1) == [1])
            client.app.finish()
            server.finish()
            #expect(client.app.receiveAll().end == .finished)
            try world.test.wait(for: "the end of the tunnel") { world.pool.isQuiet && world.acceptor.isQuiet }
            try world.end()
        }
    }
}
