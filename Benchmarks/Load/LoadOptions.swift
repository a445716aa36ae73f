internal import Addressing

/// What is wrong with the command line.
struct LoadUsageError: Error, CustomStringConvertible {
    let message: String
    var description: String { message }
}

/// The command line: the work, then pairs of name and value. What is asked for is taken; the rest is an error.
struct LoadOptions {
    let work: String
    private var values: [String: String] = [:]

    init(_ arguments: [String]) throws(LoadUsageError) {
        guard arguments.count > 1 else { throw LoadUsageError(message: "what is to be done?") }
        work = arguments[1]
        var rest = arguments.dropFirst(2)
        while let name = rest.popFirst() {
            guard let value = rest.popFirst() else { throw LoadUsageError(message: "'\(name)' needs a value") }
            values[name] = value
        }
    }

    func has(_ name: String) -> Bool { values[name] != nil }

    mutating func address(_ name: String) throws(LoadUsageError) -> SocketAddress {
        let text = try value(name)
        guard let address = SocketAddress(text) else {
            throw LoadUsageError(message: "\(name) needs an address and a port, not '\(text)'")
        }
        return address
    }

    /// At least 1.
    mutating func count(_ name: String) throws(LoadUsageError) -> Int {
        let text = try value(name)
        guard let count = Int(text), count > 0 else {
            throw LoadUsageError(message: "\(name) needs a number, not '\(text)'")
        }
        return count
    }

    mutating func direction() throws(LoadUsageError) -> Order.Kind {
        switch try value("--direction") {
        case "up": .upload
        case "down": .download
        case let other: throw LoadUsageError(message: "--direction is up or down, not '\(other)'")
        }
    }

    /// Refuses what nothing asked for.
    func end() throws(LoadUsageError) {
        if let name = values.keys.min() { throw LoadUsageError(message: "'\(work)' has no '\(name)'") }
    }

    private mutating func value(_ name: String) throws(LoadUsageError) -> String {
        guard let value = values.removeValue(forKey: name) else {
            throw LoadUsageError(message: "'\(work)' needs \(name)")
        }
        return value
    }
}
