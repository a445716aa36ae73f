// swift-tools-version: 6.2
import PackageDescription

// Every Swift target is built alike: language mode 6, the upcoming features of the house style,
// strict memory safety, and no warning left standing.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

// Tests reach into C and raw memory where they play the hostile peer, so they are not held to
// strict memory safety; everything else is the same.
let houseForTests: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .treatAllWarnings(as: .error),
]

/// A target of the package: what it may import is what it names here, and the build checks it.
func target(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: house)
}

/// The test target of `name`; it sees what the target sees, and TestSupport.
func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: [.byName(name: name), "TestSupport"] + dependencies,
        swiftSettings: houseForTests
    )
}

func product(_ name: String, _ package: String) -> Target.Dependency {
    .product(name: name, package: package)
}

let collections = product("HashTreeCollections", "swift-collections")
let protobuf = product("SwiftProtobuf", "swift-protobuf")
let x509 = product("X509", "swift-certificates")
let asn1 = product("SwiftASN1", "swift-asn1")
let crypto = product("Crypto", "swift-crypto")
let arguments = product("ArgumentParser", "swift-argument-parser")
let nio = product("NIOCore", "swift-nio")
let nioPosix = product("NIOPosix", "swift-nio")
let nioHTTP1 = product("NIOHTTP1", "swift-nio")
let nioSSL = product("NIOSSL", "swift-nio-ssl")
let nioCertificates = product("NIOCertificateReloading", "swift-nio-extras")
let grpc = product("GRPCCore", "grpc-swift-2")
let grpcTransport = product("GRPCNIOTransportHTTP2Posix", "grpc-swift-nio-transport")
let grpcProtobuf = product("GRPCProtobuf", "grpc-swift-protobuf")

/// Fuzz harnesses, for hack/fuzz.sh alone: libFuzzer brings their main.
let harnesses: [Target] =
    Context.environment["MESHNODE_FUZZ"] == nil
    ? []
    : [("KeeperMessages", "Keeper"), ("HandoverMessages", "Keeper"), ("PluginRequests", "CNI")].map { name, subject in
        .executableTarget(
            name: "Fuzz\(name)", dependencies: [.byName(name: subject)], path: "Fuzz/\(name)",
            exclude: ["Corpus", "FailCases"], swiftSettings: houseForTests)
    }

/// The benchmark library, for hack/microbench.sh --timed alone: neither it nor what it needs is fetched otherwise.
let measuresMicro = Context.environment["MESHNODE_BENCHMARKS"] != nil
let benchmarkLibrary = "https://github.com/ordo-one/benchmark"
// Without its traits it puts nothing between the program and its allocator.
let microPackages: [Package.Dependency] =
    measuresMicro ? [.package(url: benchmarkLibrary, from: "1.38.1", traits: [])] : []
let microTimed: [Target] =
    measuresMicro
    ? [
        // The library's plugin wants a folder right below Benchmarks.
        .executableTarget(
            name: "MicroTimed", dependencies: ["MicroSubjects", product("Benchmark", "benchmark")],
            path: "Benchmarks/Micro", exclude: ["Subjects", "Counted", "compare.py", "thresholds.json"],
            sources: ["Timed"],
            swiftSettings: houseForTests, plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")])
    ] : []

let package = Package(
    name: "meshnode",
    products: [
        .executable(name: "meshnode", targets: ["meshnode"]),
        .executable(name: "meshnode-cni", targets: ["meshnode-cni"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
        .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ] + microPackages,
    targets: [
        // System libraries: each is imported by exactly one Swift target.
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CNetfilter", pkgConfig: "libnftnl", providers: [.apt(["libnftnl-dev", "libmnl-dev"])]),
        .systemLibrary(name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),

        // Values that everything speaks of.
        // Addressing: IP addresses, prefixes and socket addresses as values.
        target("Addressing"),
        // Bytes: pooled byte buffers that codecs and sockets share without copies.
        target("Bytes"),
        // Mesh: the nouns of the mesh and the decisions on them, as values and pure functions.
        target("Mesh", ["Addressing", collections]),

        // Machines without I/O: bytes in, events out.
        // HTTP: HTTP/2 over libnghttp2 as a byte machine.
        target("HTTP", ["CNghttp2", "Bytes"]),
        // TLS: one TLS 1.3 connection as a byte machine over OpenSSL; certificates, keys, CSRs.
        target("TLS", ["COpenSSL", "Bytes"]),
        // Tunnel: HBONE, CONNECT over HTTP/2 in both roles; session pool; drain.
        target("Tunnel", ["HTTP", "Mesh", "Addressing", "Bytes"]),

        // The system.
        // Kernel: the only place with syscalls.
        target("Kernel", ["CLinux", "Addressing", "Bytes"]),
        // Capture: enrolment of a pod's network namespace: the ruleset and its life cycle.
        target("Capture", ["Mesh", "Addressing", "CNetfilter"]),
        // CNI: what a container runtime asks of the plugin and what it is answered, as values.
        target("CNI", ["Addressing"]),
        // Keeper: the privileged process, and the message format to the worker.
        target("Keeper", ["Kernel", "Capture", "CNI", "Mesh", "Addressing"]),

        // The data plane.
        // Identity: who a workload is and the proof of who a peer is.
        target("Identity", ["TLS", "Mesh"]),
        // Transport: tunnels on the event loop.
        target("Transport", ["Tunnel", "Identity", "TLS", "HTTP", "Kernel", "Mesh", "Addressing", "Bytes"]),
        // Telemetry: metric registry, Prometheus text, access log.
        target("Telemetry", ["Mesh", "Addressing"]),
        // Proxy: the L4 data path: accept, decide, connect, relay, account.
        target(
            "Proxy", ["Transport", "Telemetry", "Tunnel", "Kernel", "Mesh", "Addressing", "Bytes"]),

        // The control plane.
        // Resources: manifests to Mesh values, with errors that name file, line and field.
        target("Resources", ["Mesh", "Addressing", "Yams"]),
        // XDS: generated protobuf and the delta-ADS state machines of client and server.
        target("XDS", ["Mesh", "Addressing", protobuf]),
        // CertificateAuthority: signing.
        target("CertificateAuthority", ["Mesh", x509, asn1, crypto]),
        // ControlPlane: the controller over the network: gRPC services, their client, how nodes join.
        target(
            "ControlPlane",
            [
                "XDS", "CertificateAuthority", "Mesh", "Addressing", grpc, grpcTransport, grpcProtobuf, protobuf,
                nioSSL,
                nioCertificates, nio, nioPosix, x509, asn1, crypto,
            ]),
        // Controller: a directory of manifests to the mesh as values, and to the pods of each node.
        target("Controller", ["Resources", "Mesh", "Kernel", "Addressing"]),

        // The program.
        // Agent: composition root of the processes; configuration; admin socket; status report.
        target(
            "Agent",
            [
                "Controller", "ControlPlane", "CertificateAuthority", "Resources", "XDS", "Proxy", "Transport",
                "Telemetry", "Keeper", "Capture", "Kernel", "Identity", "TLS", "Mesh", "Addressing", "Bytes", nio,
                nioPosix, nioHTTP1,
            ]),
        // CommandLine: the commands and what they print, testable as values.
        target("CommandLine", ["Agent", "CertificateAuthority", "Kernel", "Mesh", arguments]),
        .executableTarget(name: "meshnode", dependencies: ["CommandLine"], swiftSettings: house),
        // meshnode-cni: the chained CNI plugin. Static and without Foundation: the container runtime starts it on the
        // host, where none of our libraries are.
        .executableTarget(
            name: "meshnode-cni", dependencies: ["CNI"], swiftSettings: house,
            linkerSettings: [
                // lld: the other linker warns of a dlopen in the runtime that is never called.
                .unsafeFlags(["-static-executable", "-use-ld=lld"]),
                .unsafeFlags(["-Xlinker", "--strip-all"], .when(configuration: .release)),
            ]),

        // PolicyVerdicts: the mesh's side of hack/differential.sh.
        .executableTarget(
            name: "PolicyVerdicts", dependencies: ["Controller", "Resources", "Mesh", "Addressing"],
            path: "Fuzz/PolicyVerdicts", swiftSettings: house),

        // meshnode-load: client, server and plain relay of hack/bench.sh.
        .executableTarget(
            name: "meshnode-load", dependencies: ["Kernel", "Addressing", "Bytes"], path: "Benchmarks/Load",
            swiftSettings: house),

        // Tests.
        .target(
            name: "TestSupport", dependencies: ["Addressing"], path: "Tests/TestSupport", swiftSettings: houseForTests),
        // DataPlaneTestSupport: event loops, plain sockets and certificates for the tests of the data plane.
        .target(
            name: "DataPlaneTestSupport",
            dependencies: ["TestSupport", "Kernel", "Identity", "TLS", "Mesh", "Addressing"],
            path: "Tests/DataPlaneTestSupport", swiftSettings: houseForTests),
        // NamespaceTestSupport: network namespaces for the tests of the privileged side.
        .target(
            name: "NamespaceTestSupport", dependencies: ["Kernel"], path: "Tests/NamespaceTestSupport",
            swiftSettings: houseForTests),
        tests(of: "Addressing"),
        tests(of: "Bytes"),
        tests(of: "Mesh", ["Addressing"]),
        tests(of: "HTTP", ["Bytes"]),
        tests(of: "TLS", ["Bytes"]),
        tests(of: "Tunnel", ["HTTP", "Mesh", "Addressing", "Bytes"]),
        tests(of: "Kernel", ["NamespaceTestSupport", "Addressing", "Bytes"]),
        tests(of: "Capture", ["Kernel", "Mesh", "Addressing"]),
        tests(of: "CNI", ["Addressing"]),
        tests(of: "Keeper", ["NamespaceTestSupport", "Kernel", "Capture", "CNI", "Mesh", "Addressing"]),
        tests(of: "Identity", ["TLS", "Mesh", "Bytes"]),
        tests(
            of: "Transport",
            ["DataPlaneTestSupport", "Tunnel", "Identity", "TLS", "HTTP", "Kernel", "Mesh", "Addressing", "Bytes"]),
        tests(of: "Telemetry", ["Mesh", "Addressing"]),
        tests(
            of: "Proxy",
            [
                "DataPlaneTestSupport", "Transport", "Telemetry", "Tunnel", "Identity", "Kernel", "Mesh", "Addressing",
                "Bytes",
            ]),
        tests(of: "Resources", ["Mesh", "Addressing"]),
        tests(of: "XDS", ["Mesh", "Addressing", protobuf]),
        tests(of: "CertificateAuthority", ["Identity", "TLS", "Mesh"]),
        tests(
            of: "ControlPlane",
            ["XDS", "CertificateAuthority", "Mesh", "Addressing", grpc, grpcTransport, grpcProtobuf]),
        tests(of: "Controller", ["Resources", "XDS", "Mesh", "Addressing", "Kernel"]),
        tests(
            of: "Agent",
            [
                "Controller", "ControlPlane", "CertificateAuthority", "Resources", "XDS", "Proxy", "Transport",
                "Keeper",
                "Kernel", "Identity", "TLS", "Telemetry", "Mesh", "Addressing",
            ]),
        tests(of: "CommandLine", ["Agent", "CertificateAuthority"]),
        .testTarget(
            name: "LoadTests", dependencies: ["meshnode-load", "Kernel", "Addressing"], swiftSettings: houseForTests),
        // NodeTests: the whole agent in real network namespaces.
        .testTarget(
            name: "NodeTests",
            dependencies: ["TestSupport", "Kernel", "Capture", "Keeper", "Mesh", "Addressing"],
            swiftSettings: houseForTests),
        // Microbenchmarks: built with everything else, so that no change breaks them unseen.
        .target(
            name: "MicroSubjects",
            dependencies: ["Telemetry", "Tunnel", "TLS", "HTTP", "Mesh", "Addressing", "Bytes"],
            path: "Benchmarks/Micro/Subjects", swiftSettings: houseForTests),
        .executableTarget(
            name: "MicroCounted", dependencies: ["MicroSubjects"], path: "Benchmarks/Micro/Counted",
            swiftSettings: houseForTests),
    ] + harnesses + microTimed
)
