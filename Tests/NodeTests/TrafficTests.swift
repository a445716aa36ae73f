import Testing

extension OnTwoNodes {
    @Suite struct `Traffic through the mesh` {
        let mesh: TwoNodes
        private let api = TwoNodes.api
        private let web = TwoNodes.web

        init() throws {
            mesh = try sharedMesh()
        }

        @Test(arguments: [false, true])
        func `reaches a service and a pod, and the server sees the client's address`(isV6: Bool) throws {
            let service = isV6 ? mesh.machine.serviceV6(10) : mesh.machine.serviceV4(10)
            for host in [service, mesh.address(api, v6: isV6)] {
                let answer = try mesh.outcome(from: web, to: host, PodServer.speaksFirst)
                #expect(answer == "hello \(mesh.address(web, v6: isV6))\nx|eof")
            }
        }
    }
}
