import Addressing
import FoundationEssentials
import Mesh

/// Reads the parts of a message of which the same mistakes are possible, and says in every error which resource it is.
struct WireReader {
    /// The resource, as errors name it: `workload Kubernetes//Pod/shop/web`.
    let resource: String

    func invalid(_ what: String) -> XDSError { XDSError(.invalidResource, "\(resource): \(what)") }
    func unsupported(_ what: String) -> XDSError { XDSError(.unsupportedResource, "\(resource): \(what)") }

    /// A port number; `what` names the field.
    func port(_ number: UInt32, _ what: String) throws(XDSError) -> UInt16 {
        guard let port = UInt16(exactly: number), port > 0 else { throw invalid("\(what) \(number) is no port") }
        return port
    }

    func address(_ bytes: Data) throws(XDSError) -> IPAddress {
        guard let address = IPAddress(networkBytes: bytes) else {
            throw invalid("an address has \(bytes.count) bytes instead of 4 or 16")
        }
        return address
    }

    /// A block; one inside ::ffff:0:0/96 is the IPv4 block that it stands for.
    func prefix(_ bytes: Data, length: UInt32) throws(XDSError) -> IPPrefix {
        let address = try address(bytes)
        let isMapped = bytes.count == 16 && address.family == .v4
        let counted = Int64(length) - (isMapped ? 96 : 0)
        guard let length = Int(exactly: counted), let prefix = IPPrefix(address, length: length) else {
            throw invalid("\(address)/\(counted) is no block of addresses")
        }
        return prefix
    }

    func required(_ text: String, _ what: String) throws(XDSError) -> String {
        guard !text.isEmpty else { throw invalid("\(what) is empty") }
        return text
    }

    /// A namespace or name that stands in keys, where a slash would make it ambiguous.
    func segment(_ text: String, _ what: String) throws(XDSError) -> String {
        guard !text.isEmpty, !text.contains("/") else { throw invalid("\(what) is '\(text)'") }
        return text
    }
}

extension IPAddress {
    /// The address as the wire has it.
    var data: Data { Data(networkBytes) }
}
