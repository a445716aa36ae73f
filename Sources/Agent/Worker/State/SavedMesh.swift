internal import Mesh
internal import XDS

/// The mesh as the controller told it, resource by resource, so that a successor can be told the same: frames of the
/// channel, one response for each type that holds all of it.
struct SavedMesh {
    private var resources: [String: [String: Envoy_Service_Discovery_V3_Resource]] = [:]

    /// The controller told `response`, and it was taken.
    mutating func received(_ response: DeltaResponse) {
        // Taken out while it changes, so that it is not copied.
        var known = resources.removeValue(forKey: response.typeURL) ?? [:]
        for name in response.removedResources { known[name] = nil }
        for resource in response.resources { known[resource.name] = resource }
        resources[response.typeURL] = known
    }

    /// Throws `unusableState` if it is too long for the channel.
    func encoded() throws(AgentError) -> [UInt8] {
        var bytes: [UInt8] = []
        for (type, known) in resources.sorted(by: { $0.key < $1.key }) {
            var response = DeltaResponse()
            response.typeURL = type
            response.nonce = "saved"
            response.resources = Array(known.values)
            do throws(XDSError) {
                bytes += try FrameCodec.frame(.discoveryResponse(response))
            } catch {
                throw .unusable(error.message)
            }
        }
        return bytes
    }

    /// Tells `client` what `bytes` hold.
    /// - Returns: the changes that lead from an empty mesh to what was known.
    /// - Throws: `unusableState` if the bytes are something else, or if `client` does not know all of the mesh by them.
    init(restoring bytes: [UInt8], into client: inout DeltaClient, changes: inout [MeshChange]) throws(AgentError) {
        var decoder = FrameDecoder()
        decoder.received(bytes)
        do throws(XDSError) {
            while let message = try decoder.next() {
                guard case .discoveryResponse(let response) = message else {
                    throw XDSError(.unsupportedResource, "a message that is no resources")
                }
                changes += client.received(response).changes
                received(response)
            }
        } catch {
            throw .unusable(error.message)
        }
        guard client.isComplete else { throw .unusable("it does not hold all of the mesh") }
    }

    init() {}
}
