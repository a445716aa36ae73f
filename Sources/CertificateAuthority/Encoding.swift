import SwiftASN1
import X509

/// Certificates as bytes and text.
enum Encoding {
    static func der(_ certificate: Certificate) throws(AuthorityError) -> [UInt8] {
        do {
            var serializer = DER.Serializer()
            try serializer.serialize(certificate)
            return serializer.serializedBytes
        } catch {
            throw AuthorityError(.signingFailed, "a certificate cannot be encoded: \(error)")
        }
    }

    /// With a line break at the end.
    static func pem(_ certificate: Certificate) throws(AuthorityError) -> String {
        do {
            return try certificate.serializeAsPEM().pemString + "\n"
        } catch {
            throw AuthorityError(.signingFailed, "a certificate cannot be encoded: \(error)")
        }
    }
}

extension Array {
    /// `map` that keeps the type of the error.
    func mapTyped<Output, Failure: Error>(_ transform: (Element) throws(Failure) -> Output) throws(Failure) -> [Output]
    {
        var output: [Output] = []
        output.reserveCapacity(count)
        for element in self { output.append(try transform(element)) }
        return output
    }
}

extension Sequence<UInt8> {
    /// Two lower-case hexadecimal digits for each byte.
    var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
