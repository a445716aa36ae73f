/// One decoded object.
package enum ManifestObject: Hashable, Sendable {
    case namespace(NamespaceManifest)
    case node(NodeManifest)
    case pod(PodManifest)
    case service(ServiceManifest)
    case endpointSlice(EndpointSliceManifest)
    case serviceAccount(ServiceAccountManifest)
    case authorizationPolicy(AuthorizationPolicyManifest)
    case peerAuthentication(PeerAuthenticationManifest)
    case meshPolicy(MeshPolicyManifest)
}

/// One object of a file: what it became, or that it was refused.
package struct ManifestEntry: Hashable, Sendable {
    package var key: ManifestKey
    /// Where the object begins, from 1.
    package var line: Int
    /// Nil if the object has an error: its last good state stays in force.
    package var object: ManifestObject?

    package init(key: ManifestKey, line: Int, object: ManifestObject?) {
        self.key = key
        self.line = line
        self.object = object
    }
}

/// The object that is being decoded.
struct ObjectFields {
    let key: ManifestKey
    let metadata: ManifestMetadata
    let root: Fields

    /// The spec, if it has one that is a mapping.
    func spec(knowing known: Set<String>, unknown: ManifestProblem.Severity = .warning) -> Fields? {
        root["spec"]?.mapping(knowing: known, unknown: unknown)
    }
}

extension ManifestObject {
    /// Decodes an object whose kind and name are known. Nil if anything in it is an error; the log says what.
    static func decode(_ field: Field, key: ManifestKey) -> ManifestObject? {
        guard let root = root(field, kind: key.kind), let metadata = root["metadata"] else { return nil }
        let object = ObjectFields(key: key, metadata: ManifestMetadata(metadata, key: key), root: root)
        let result = decode(object)
        return field.log.hasErrors ? nil : result
    }

    private static func root(_ field: Field, kind: ManifestKind) -> Fields? {
        switch kind {
        case .authorizationPolicy, .peerAuthentication: field.mapping(knowing: KnownFields.root, unknown: .error)
        case .serviceAccount: field.mapping(knowing: KnownFields.serviceAccount)
        case .endpointSlice: field.mapping(knowing: KnownFields.endpointSlice)
        case .namespace, .node, .pod, .service, .meshPolicy: field.mapping(knowing: KnownFields.root)
        }
    }

    private static func decode(_ object: ObjectFields) -> ManifestObject {
        switch object.key.kind {
        case .namespace: .namespace(NamespaceManifest(metadata: object.metadata))
        case .node: .node(NodeManifest(metadata: object.metadata))
        case .pod: .pod(PodManifest(object))
        case .service: .service(ServiceManifest(object))
        case .endpointSlice: .endpointSlice(EndpointSliceManifest(object))
        case .serviceAccount: .serviceAccount(ServiceAccountManifest(metadata: object.metadata))
        case .authorizationPolicy: .authorizationPolicy(AuthorizationPolicyManifest(object))
        case .peerAuthentication: .peerAuthentication(PeerAuthenticationManifest(object))
        case .meshPolicy: .meshPolicy(MeshPolicyManifest(object))
        }
    }
}
