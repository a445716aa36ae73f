/// The fields that Kubernetes itself knows, so that the mesh warns of none of them (API reference of Kubernetes 1.34).
enum KnownFields {
    static let root: Set<String> = ["apiVersion", "kind", "metadata", "spec", "status"]

    /// Top-level fields of kinds that have no `spec`.
    static let serviceAccount: Set<String> = [
        "apiVersion", "kind", "metadata", "secrets", "imagePullSecrets", "automountServiceAccountToken",
    ]
    static let endpointSlice: Set<String> = ["apiVersion", "kind", "metadata", "addressType", "endpoints", "ports"]

    static let endpoint: Set<String> = [
        "addresses", "conditions", "deprecatedTopology", "hints", "hostname", "nodeName", "targetRef", "zone",
    ]

    static let podSpec: Set<String> = [
        "activeDeadlineSeconds", "affinity", "automountServiceAccountToken", "containers", "dnsConfig", "dnsPolicy",
        "enableServiceLinks", "ephemeralContainers", "hostAliases", "hostIPC", "hostNetwork", "hostPID", "hostUsers",
        "hostname", "hostnameOverride", "imagePullSecrets", "initContainers", "nodeName", "nodeSelector", "os",
        "overhead", "preemptionPolicy", "priority", "priorityClassName", "readinessGates", "resourceClaims",
        "resources", "restartPolicy", "runtimeClassName", "schedulerName", "schedulingGates", "securityContext",
        "serviceAccount", "serviceAccountName", "setHostnameAsFQDN", "shareProcessNamespace", "subdomain",
        "terminationGracePeriodSeconds", "tolerations", "topologySpreadConstraints", "volumes", "workloadRef",
    ]

    static let containerPort: Set<String> = ["containerPort", "hostIP", "hostPort", "name", "protocol"]

    static let serviceSpec: Set<String> = [
        "allocateLoadBalancerNodePorts", "clusterIP", "clusterIPs", "externalIPs", "externalName",
        "externalTrafficPolicy", "healthCheckNodePort", "internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy",
        "loadBalancerClass", "loadBalancerIP", "loadBalancerSourceRanges", "ports", "publishNotReadyAddresses",
        "selector", "sessionAffinity", "sessionAffinityConfig", "trafficDistribution", "type",
    ]

    static let servicePort: Set<String> = ["appProtocol", "name", "nodePort", "port", "protocol", "targetPort"]

    /// Kinds of `v1` that the mesh has no use for.
    static let otherCoreKinds: Set<String> = [
        "Binding", "ComponentStatus", "ConfigMap", "Endpoints", "Event", "LimitRange", "PersistentVolume",
        "PersistentVolumeClaim", "PodTemplate", "ReplicationController", "ResourceQuota", "Secret",
    ]

    /// Kinds of the groups we read that only later versions or other programs act on.
    static let unsupportedKinds: Set<String> = [
        "RequestAuthentication", "Telemetry", "DestinationRule", "ServiceEntry", "WorkloadEntry",
    ]
}
