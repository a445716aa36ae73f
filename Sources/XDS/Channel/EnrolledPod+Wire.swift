import Addressing
import Mesh

extension NodeWishes {
    var message: Meshnode_Wire_PodWishes {
        var message = Meshnode_Wire_PodWishes()
        message.pods = pods.map(\.message)
        return message
    }

    /// Refused whole if one pod cannot be read: the set before it is the better one then.
    init(_ message: Meshnode_Wire_PodWishes) throws(XDSError) {
        pods = []
        for pod in message.pods { pods.append(try EnrolledPod(pod)) }
    }
}

extension EnrolledPod {
    var message: Meshnode_Wire_EnrolledPod {
        var message = Meshnode_Wire_EnrolledPod()
        message.uid = uid.text
        message.namespace = namespace
        message.name = name
        message.podUid = podUID
        message.addresses = addresses.map(\.data)
        message.excludedInboundPorts = excludedInboundPorts.map(UInt32.init)
        message.excludedOutboundPrefixes = excludedOutboundPrefixes.map(Meshnode_Wire_Prefix.init)
        message.excludedOutboundPorts = excludedOutboundPorts.map(UInt32.init)
        message.isStrict = isStrict
        message.bypassesInbound = bypassesInbound
        return message
    }

    init(_ message: Meshnode_Wire_EnrolledPod) throws(XDSError) {
        let reader = WireReader(resource: "pod \(message.uid)")
        self.init(
            uid: WorkloadUID(try reader.required(message.uid, "the uid")),
            namespace: try reader.segment(message.namespace, "the namespace"),
            name: try reader.segment(message.name, "the name"), podUID: message.podUid, isStrict: message.isStrict,
            bypassesInbound: message.bypassesInbound)
        for bytes in message.addresses { addresses.append(try reader.address(bytes)) }
        for port in message.excludedInboundPorts {
            excludedInboundPorts.append(try reader.port(port, "an excluded inbound port"))
        }
        for block in message.excludedOutboundPrefixes {
            excludedOutboundPrefixes.append(try reader.prefix(block.address, length: block.length))
        }
        for port in message.excludedOutboundPorts {
            excludedOutboundPorts.append(try reader.port(port, "an excluded outbound port"))
        }
    }
}

extension PodQuestion {
    var message: Meshnode_Wire_PodQuestion {
        var message = Meshnode_Wire_PodQuestion()
        message.id = id
        message.namespace = namespace
        message.name = name
        message.uid = uid
        return message
    }

    init(_ message: Meshnode_Wire_PodQuestion) throws(XDSError) {
        let reader = WireReader(resource: "question \(message.id) about a pod")
        self.init(
            id: message.id, namespace: try reader.segment(message.namespace, "the namespace"),
            name: try reader.segment(message.name, "the name"), uid: message.uid)
    }
}

extension PodVerdict {
    var message: Meshnode_Wire_PodVerdict {
        var message = Meshnode_Wire_PodVerdict()
        message.id = id
        switch outcome {
        case .capture(let pod): message.capture = pod.message
        case .leave(let reason): message.leave = reason
        case .unknown(let reason): message.unknown = reason
        }
        return message
    }

    init(_ message: Meshnode_Wire_PodVerdict) throws(XDSError) {
        switch message.outcome {
        case .capture(let pod): self.init(id: message.id, outcome: .capture(try EnrolledPod(pod)))
        case .leave(let reason): self.init(id: message.id, outcome: .leave(reason: reason))
        case .unknown(let reason): self.init(id: message.id, outcome: .unknown(reason: reason))
        case nil: throw XDSError(.malformedMessage, "the verdict \(message.id) about a pod has no outcome")
        }
    }
}

extension Meshnode_Wire_Prefix {
    init(_ prefix: IPPrefix) {
        self.init()
        address = prefix.address.data
        length = UInt32(prefix.length)
    }
}
