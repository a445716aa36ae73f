internal import Mesh
internal import XDS

/// What a subscription knows of the mesh, as bytes.
enum SavedMesh {
    /// Nil if it cannot be written.
    static func bytes(of client: borrowing DeltaClient) -> [UInt8]? { nil }

    /// Goes on with what `bytes(of:)` wrote.
    /// - Returns: the changes that lead from an empty mesh to what was known.
    /// - Throws: `unusableState`; `client` is as it was then.
    static func restore(_ saved: [UInt8], into client: inout DeltaClient) throws(AgentError) -> [MeshChange] {
        throw .unusable("it holds no mesh")
    }
}
