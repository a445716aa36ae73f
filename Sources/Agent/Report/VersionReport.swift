/// Which build answers, and on what (`meshnode version`).
package struct VersionReport: Report {
    package static let path = "/v1/version"
    package static let kind = "Version"

    /// Always `ReportVersion.current`.
    package var apiVersion: String
    /// Always `Version`.
    package var kind: String
    /// Version of meshnode, such as `0.1.0`.
    package var version: String
    /// Version of the OpenSSL that is linked; nil if not known.
    package var openSSL: String?
    /// Version of the libnghttp2 that is linked; nil if not known.
    package var nghttp2: String?
    /// Release of the running kernel; nil if not known.
    package var kernel: String?

    package init(version: String, openSSL: String? = nil, nghttp2: String? = nil, kernel: String? = nil) {
        self.apiVersion = ReportVersion.current
        self.kind = Self.kind
        self.version = version
        self.openSSL = openSSL
        self.nghttp2 = nghttp2
        self.kernel = kernel
    }
}

/// The version of this build.
package enum MeshnodeVersion {
    /// Semantic version; the newest section of CHANGELOG.md has the same.
    package static let current = "0.1.0"
}

extension VersionReport {
    static var current: VersionReport { VersionReport(version: MeshnodeVersion.current) }
}
