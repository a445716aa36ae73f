/// What every object has: its name, labels, annotations and history.
package struct ManifestMetadata: Hashable, Sendable {
    /// Who made the object.
    package struct Owner: Hashable, Sendable {
        package var kind: String
        package var name: String
        /// It is the one that manages the object.
        package var isController: Bool

        package init(kind: String, name: String, isController: Bool) {
            self.kind = kind
            self.name = name
            self.isController = isController
        }
    }

    package var name: String
    /// Empty for kinds without a namespace; `default` where none is written.
    package var namespace: String
    /// Empty in files that people wrote.
    package var uid: String
    package var labels: [String: String]
    package var annotations: [String: String]
    /// Seconds since 1970; nil in files that people wrote.
    package var createdAt: Int64?
    package var isBeingDeleted: Bool
    package var owners: [Owner]

    package init(
        name: String, namespace: String, uid: String = "", labels: [String: String] = [:],
        annotations: [String: String] = [:], createdAt: Int64? = nil, isBeingDeleted: Bool = false, owners: [Owner] = []
    ) {
        self.name = name
        self.namespace = namespace
        self.uid = uid
        self.labels = labels
        self.annotations = annotations
        self.createdAt = createdAt
        self.isBeingDeleted = isBeingDeleted
        self.owners = owners
    }

    /// Whether it has every label of `selector`.
    package func hasLabels(_ selector: [String: String]) -> Bool {
        selector.allSatisfy { labels[$0.key] == $0.value }
    }

    /// Older first; objects without a time come last; ties by namespace and name.
    package func precedes(_ other: ManifestMetadata) -> Bool {
        (createdAt ?? .max, namespace, name) < (other.createdAt ?? .max, other.namespace, other.name)
    }
}

extension ManifestMetadata {
    private static let known: Set<String> = [
        "name", "generateName", "namespace", "labels", "annotations", "uid", "creationTimestamp", "deletionTimestamp",
        "deletionGracePeriodSeconds", "ownerReferences", "finalizers", "generation", "resourceVersion",
        "managedFields", "selfLink",
    ]

    /// Reads everything but the name and namespace, which the caller knows already.
    init(_ field: Field, key: ManifestKey) {
        self.init(name: key.name, namespace: key.namespace)
        guard let fields = field.mapping(knowing: Self.known) else { return }
        uid = fields["uid"]?.string() ?? ""
        labels = fields["labels"]?.stringMap() ?? [:]
        annotations = fields["annotations"]?.stringMap() ?? [:]
        createdAt = fields["creationTimestamp"]?.timestamp()
        isBeingDeleted = fields["deletionTimestamp"] != nil
        owners = (fields["ownerReferences"]?.items() ?? []).compactMap(Self.owner)
    }

    private static func owner(_ field: Field) -> Owner? {
        guard let fields = field.mapping(), let kind = fields.required("kind")?.string(),
            let name = fields.required("name")?.string()
        else { return nil }
        return Owner(kind: kind, name: name, isController: fields["controller"]?.bool() ?? false)
    }
}
