internal import Addressing
internal import Mesh

/// A connection that somebody asks about, both ends found.
struct ExplainCase {
    /// Who would connect.
    enum Client: Equatable {
        case workload(Workload)
        case stranger(IPAddress)
    }

    let client: Client
    /// What the application would connect to.
    let address: SocketAddress
    /// The service that has this address; nil if a pod or a stranger has.
    let service: Service?
    /// The client is to be taken for one without identity.
    let asPlaintext: Bool
    /// As it was typed, beside the address.
    let typed: String

    init(client: Client, address: SocketAddress, service: Service?, asPlaintext: Bool, typed: String) {
        self.client = client
        self.address = address
        self.service = service
        self.asPlaintext = asPlaintext
        self.typed = typed
    }

    /// - Parameter written: the server's address, if it was asked for by address.
    /// - Throws: if the server has no address that one could connect to.
    init(
        client: EndResolver.Found, server: EndResolver.Found, address written: IPAddress? = nil, port: UInt16,
        asPlaintext: Bool, typed: String
    ) throws(ExplainError) {
        switch client {
        case .workload(let workload): self.client = .workload(workload)
        case .stranger(let address): self.client = .stranger(address)
        case .service(let service): throw ExplainError("\(service.name) is a service: only pods open connections")
        }
        self.asPlaintext = asPlaintext
        self.typed = typed
        switch server {
        case .stranger(let ip):
            service = nil
            address = SocketAddress(ip, port)
        case .workload(let workload):
            service = nil
            let family = self.client.family
            guard let ip = written ?? workload.address(in: family) else {
                throw ExplainError("\(workload.namespace)/\(workload.name) has no address yet")
            }
            address = SocketAddress(ip, port)
        case .service(let found):
            service = found
            let family = self.client.family
            let block = found.addresses.first { $0.address.family == family } ?? found.addresses.first
            guard let ip = written ?? block?.address else {
                throw ExplainError(
                    "service \(found.name) is headless, so clients connect to its pods: name one, as namespace/pod:port"
                )
            }
            address = SocketAddress(ip, port)
        }
    }

    /// The pod connects to an address of its own.
    var isToItself: Bool {
        guard case .workload(let workload) = client else { return false }
        return !workload.isHostNetwork && workload.addresses.contains(address.ip)
    }

    /// The identity that the server would see; nil for none.
    var identity: SPIFFEID? {
        guard plaintextCause == nil, case .workload(let workload) = client else { return nil }
        return workload.identity
    }

    /// Why the client's connections are not carried in a tunnel; nil if they are.
    var plaintextCause: String? {
        switch client {
        case .stranger(let address): return "nobody in the mesh has \(address)"
        case .workload(let workload):
            let name = "\(workload.namespace)/\(workload.name)"
            if workload.isHostNetwork { return "\(name) shares its node's network" }
            if !workload.isEnrolled { return "\(name) is not in the mesh" }
            return asPlaintext ? "asked as a client without identity" : nil
        }
    }

    /// What the router takes for the source. A stranger's connections are routed by somebody else, and a stand-in that
    /// knows nobody is the nearest to that. Never nil: `nobody` is spelled by the rule for trust domains.
    var routingSource: Workload? {
        switch client {
        case .workload(let workload): workload
        case .stranger(let address):
            TrustDomain("nobody").map {
                Workload(
                    uid: WorkloadUID(""), name: address.description, namespace: "", trustDomain: $0,
                    addresses: [address])
            }
        }
    }

    /// The address that policies would see.
    func sourceAddress(for family: IPAddress.Family) -> IPAddress {
        switch client {
        case .stranger(let address): address
        case .workload(let workload): workload.address(in: family) ?? address.ip
        }
    }

    /// Such as `pay/api:80 (10.240.100.10:80)`.
    var destinationText: String {
        let text = address.description
        return typed == text ? text : "\(typed) (\(text))"
    }

    /// What there is to say before the router speaks.
    var opening: [String] {
        switch client {
        case .stranger: ["the client is not in the mesh: the network, not the mesh, brings it there"]
        case .workload(let workload) where !workload.isEnrolled:
            ["the client is not in the mesh: the network, not the mesh, brings it there"]
        case .workload: []
        }
    }
}

extension ExplainCase.Client {
    /// The family in which it would connect.
    fileprivate var family: IPAddress.Family {
        switch self {
        case .workload(let workload): workload.addresses.first?.family ?? .v4
        case .stranger(let address): address.family
        }
    }
}
