public import Foundation

/// `capture.json`: what a capture says of its origin, for people and for programs.
///
/// Written once when a recording starts, and replaced atomically when somebody changes a rule.
public struct Manifest: Codable, Hashable, Sendable {
  /// The format that this zcap writes, and the newest that it reads.
  public static let formatVersion = 1

  public var format: Int = Self.formatVersion
  public var uuid: UUID
  /// The machine that recorded.
  public var host: String
  /// When the recording was started, RFC 3339.
  public var created: String
  /// Name and version of the program that recorded.
  public var recorder: String
  /// In the order of their ids.
  public var endpoints: [RecordedEndpoint]
  /// How topics are derived from frames; see `TopicRule` for the spelling.
  public var topicRule: String
  public var labels: [String: String]

  public init(
    uuid: UUID = UUID(), host: String, created: String, recorder: String,
    endpoints: [RecordedEndpoint], topicRule: String, labels: [String: String]
  ) {
    self.uuid = uuid
    self.host = host
    self.created = created
    self.recorder = recorder
    self.endpoints = endpoints
    self.topicRule = topicRule
    self.labels = labels
  }

  /// Adds endpoints that are not there yet. Returns the ids of all that were given.
  mutating func add(_ added: [RecordedEndpoint]) -> [UInt16] {
    added.map { endpoint in
      if let known = endpoints.firstIndex(of: endpoint) {
        return UInt16(truncatingIfNeeded: known)
      }
      endpoints.append(endpoint)
      return UInt16(truncatingIfNeeded: endpoints.count - 1)
    }
  }

  /// The UUID as the segments carry it.
  var captureID: UInt128 {
    unsafe withUnsafeBytes(of: uuid.uuid) { unsafe $0.loadUnaligned(as: UInt128.self) }
  }
}

/// An endpoint as it was recorded: enough to build the same topology again.
public struct RecordedEndpoint: Codable, Hashable, Sendable {
  /// As given: `tcp://10.0.0.1:5555`.
  public var address: String
  /// The type of the recorder's own socket: `SUB`.
  public var socket: String
  /// Whether the recorder bound the endpoint; else it connected to it.
  public var isBound: Bool
  /// The prefixes subscribed to; one empty prefix is everything.
  public var subscriptions: [SubscriptionPrefix]

  public init(
    address: String, socket: String, isBound: Bool, subscriptions: [SubscriptionPrefix]
  ) {
    self.address = address
    self.socket = socket
    self.isBound = isBound
    self.subscriptions = subscriptions
  }

  private enum CodingKeys: String, CodingKey {
    case address, socket, subscriptions
    case isBound = "bound"
  }
}

/// A prefix of bytes: a JSON string where it is UTF-8, else `{"base64": "..."}`.
public struct SubscriptionPrefix: Codable, Hashable, Sendable {
  public var bytes: [UInt8]

  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  private enum CodingKeys: CodingKey { case base64 }

  public init(from decoder: any Decoder) throws {
    if let text = try? decoder.singleValueContainer().decode(String.self) {
      bytes = Array(text.utf8)
    } else {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      bytes = Array(try container.decode(Data.self, forKey: .base64))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    if let text = String(validating: bytes, as: UTF8.self) {
      var container = encoder.singleValueContainer()
      try container.encode(text)
    } else {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(Data(bytes), forKey: .base64)
    }
  }
}

extension Manifest {
  /// More than any manifest needs; a larger file is something else.
  private static let sizeMax = 16 << 20

  /// Reads the manifest of a capture, and says clearly what else it might be.
  package static func load(
    capture path: String, files: FileSystem = .system
  ) throws(StoreError) -> Manifest {
    let file = CapturePath.manifest(path)
    guard let directory = try files.metadata(path) else { throw .noSuchCapture(path: path) }
    guard directory.isDirectory, let found = try files.metadata(file), !found.isDirectory
    else { throw .notACapture(path: path) }
    guard found.size <= sizeMax else {
      throw .damagedManifest(path: file, reason: "\(found.size) bytes is too large for one")
    }
    let bytes = Data(try files.read(file, limit: found.size))

    struct Version: Decodable { var format: Int }
    do {
      let version = try JSONDecoder().decode(Version.self, from: bytes).format
      guard version >= 1 else {
        throw StoreError.damagedManifest(path: file, reason: "format \(version) does not exist")
      }
      guard version <= formatVersion else {
        throw StoreError.newerFormat(path: path, version: version)
      }
      return try JSONDecoder().decode(Manifest.self, from: bytes)
    } catch let error as StoreError {
      throw error
    } catch let error as DecodingError {
      throw .damagedManifest(path: file, reason: error.shortText)
    } catch {
      throw .damagedManifest(path: file, reason: "\(error)")
    }
  }

  /// Writes the manifest atomically.
  package func save(
    capture path: String, files: FileSystem = .system
  ) throws(StoreError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let file = CapturePath.manifest(path)
    do {
      try files.replace(file, with: Array(try encoder.encode(self)) + [UInt8(ascii: "\n")])
    } catch let error as StoreError {
      throw error
    } catch {
      throw .damagedManifest(path: file, reason: "\(error)")
    }
  }
}

extension DecodingError {
  /// One line: which field, and what is wrong with it.
  fileprivate var shortText: String {
    switch self {
    case .keyNotFound(let key, _):
      "\"\(key.stringValue)\" is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      "\"\(context.codingPath.map(\.stringValue).joined(separator: "."))\" has the wrong type"
    case .dataCorrupted(let context) where !context.codingPath.isEmpty:
      context.debugDescription
    default:
      "it is not JSON"
    }
  }
}
