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
  /// Counter fields in payloads; see `SequenceRule` for the spelling. nil where there are none.
  public var sequences: [String]?
  /// What frames are by the user's word; see `CodecRule` for the spelling. nil where nothing was said.
  public var codecs: [String]?
  /// Of a ring, how much of it is kept: what comes before its first segment is not missing.
  public var keep: Retention?
  /// Where a capture begins that was taken out of another one; nil for its first segment.
  public var begins: Beginning?
  /// Of such a capture: the time that somebody asked for.
  public var window: Window?
  public var labels: [String: String]

  /// The first segment of a capture, and the first sequence in it.
  public struct Beginning: Codable, Hashable, Sendable {
    public var segment: UInt64
    public var sequence: UInt64

    public init(segment: UInt64, sequence: UInt64) {
      self.segment = segment
      self.sequence = sequence
    }
  }

  /// A part of a recording, by its time.
  public struct Window: Codable, Hashable, Sendable {
    /// RFC 3339, like the others.
    public var from: String
    public var until: String
    /// Until when it was recorded, once all of that is there; nil where the recorder ended before.
    public var ended: String?
    /// True where a part of that time had been recorded and had made room in the ring already.
    public var late: Bool?
    /// Whether the recording ended before `until`, by a clock that nobody sets; nil for not known.
    public var cut: Bool?
    /// What kept it from being what was asked for.
    public var failure: String?

    /// Whether the recording ended before all of that time was over.
    public var isCut: Bool {
      guard let ended else { return true }
      if let cut { return cut }
      // All of one length and of UTC: texts are in the order of their times.
      return ended < until
    }
  }

  public init(
    uuid: UUID = UUID(), host: String, created: String, recorder: String,
    endpoints: [RecordedEndpoint], topicRule: String, sequences: [String] = [],
    codecs: [String] = [], keep: Retention? = nil, labels: [String: String]
  ) {
    self.uuid = uuid
    self.host = host
    self.created = created
    self.recorder = recorder
    self.endpoints = endpoints
    self.topicRule = topicRule
    self.sequences = sequences.isEmpty ? nil : sequences
    self.codecs = codecs.isEmpty ? nil : codecs
    self.keep = keep
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

  /// A time of day as the manifest has it.
  package static func text(unixNanoseconds: Int64) -> String {
    Date(timeIntervalSince1970: Double(unixNanoseconds) / 1e9)
      .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
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
    let segments = try directory.isDirectory ? files.metadata(CapturePath.segments(path)) : nil
    guard directory.isDirectory, let found = try files.metadata(file), !found.isDirectory
    else {
      if segments != nil { throw .damagedManifest(path: file, reason: "it is missing") }
      throw .notACapture(path: path)
    }
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
      let manifest = try JSONDecoder().decode(Manifest.self, from: bytes)
      if let reason = manifest.problem {
        throw StoreError.damagedManifest(path: file, reason: reason)
      }
      return manifest
    } catch let error as StoreError {
      throw error
    } catch let error as DecodingError {
      throw .damagedManifest(path: file, reason: error.shortText)
    } catch {
      throw .damagedManifest(path: file, reason: "\(error)")
    }
  }

  /// What no recorder says.
  private var problem: String? {
    if let keep, !keep.isSound { return "\"keep\" is out of range" }
    if let begins, max(begins.segment, begins.sequence) > FormatLimits.countMax {
      return "\"begins\" is out of range"
    }
    return nil
  }

  /// Writes the manifest atomically. Fields of the one that was there and that this version does
  /// not know are kept.
  package func save(
    capture path: String, files: FileSystem = .system
  ) throws(StoreError) {
    let file = CapturePath.manifest(path)
    do {
      var json = try Self.encoder.encode(self)
      if let before = try files.metadata(file), before.size <= Self.sizeMax {
        json = Self.keepUnknown(of: Data(try files.read(file, limit: before.size)), in: json)
      }
      try files.replace(file, with: Array(json) + [UInt8(ascii: "\n")])
    } catch let error as StoreError {
      throw error
    } catch {
      throw .damagedManifest(path: file, reason: "\(error)")
    }
  }
}

extension Manifest {
  private static var encoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return encoder
  }

  private static let fields: Set<String> = [
    "format", "uuid", "host", "created", "recorder", "endpoints", "topicRule", "sequences",
    "codecs", "keep", "begins", "window", "labels",
  ]

  /// Adds what an earlier manifest says in fields that this version does not have.
  private static func keepUnknown(of before: Data, in json: Data) -> Data {
    guard let old = try? JSONDecoder().decode([String: JSONValue].self, from: before),
      var new = try? JSONDecoder().decode([String: JSONValue].self, from: json),
      old.keys.contains(where: { !fields.contains($0) })
    else { return json }
    for (name, value) in old where !fields.contains(name) { new[name] = value }
    return (try? encoder.encode(new)) ?? json
  }
}

/// Any JSON, to be handed on as it is.
private enum JSONValue: Codable {
  case null
  case bool(Bool)
  case integer(Int64)
  case number(Double)
  case text(String)
  case list([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int64.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .text(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .list(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .text(let value): try container.encode(value)
    case .list(let value): try container.encode(value)
    case .object(let value): try container.encode(value)
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
