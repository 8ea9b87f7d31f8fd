/// What a frame becomes as a file of its own, which other programs open by its name.
///
/// | tag | name | content |
/// |---|---|---|
/// | `ndarray(...)` | `.npy` | the bytes behind NumPy's header |
/// | `npy`, `image/png`, `image/jpeg`, `gzip`, `zstd`, `lz4`, `json`, `text`, `msgpack`, `pickle` | `.npy`, `.png`, `.jpg`, `.gz`, `.zst`, `.lz4`, `.json`, `.txt`, `.msgpack`, `.pickle` | the bytes as they are |
/// | all others, and arrays of which bytes are missing | `.bin` | the bytes as they are |
public struct FrameFile: Hashable, Sendable {
  /// Without the dot.
  public let nameExtension: String
  /// Bytes of the file before those of the frame.
  public let header: [UInt8]

  public init(_ tag: CodecTag, payloadBytes: Int) {
    if let header = ArrayLayout(tag)?.npyHeader(payloadBytes: payloadBytes) {
      (nameExtension, self.header) = ("npy", header)
    } else {
      (nameExtension, header) = (Self.extensions[tag] ?? "bin", [])
    }
  }

  private static let extensions: [CodecTag: String] = [
    .npy: "npy", .png: "png", .jpeg: "jpg", .gzip: "gz", .zstandard: "zst", .lz4: "lz4",
    .json: "json", .text: "txt", .messagePack: "msgpack", .pickle: "pickle",
  ]
}

extension ArrayLayout {
  /// `nil` where the payload is no whole array of this layout.
  ///
  /// Source: NumPy Enhancement Proposal 1, "Format Specification: Version 1.0".
  func npyHeader(payloadBytes: Int) -> [UInt8]? {
    // Tags have no other order.
    precondition(!isFirstIndexFastest, "the layout of a tag")
    let shape = shape ?? [payloadBytes / type.size]
    let whole = ArrayLayout(type, shape: shape)
    guard whole.byteCount == payloadBytes else { return nil }
    let sizes = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    let order = type.size == 1 ? "|" : type.isBigEndian ? ">" : "<"
    let text =
      "{'descr': '\(order)\(type.kind.rawValue)\(type.size)', "
      + "'fortran_order': False, 'shape': (\(sizes)), }"
    // The array begins at a multiple of 64, and a line feed ends the header.
    let start = NpyHeader.magic.count + 4
    let spaces = 63 - (start + text.utf8.count) % 64
    let size = text.utf8.count + spaces + 1
    return NpyHeader.magic + [1, 0, UInt8(size & 0xFF), UInt8(size >> 8)] + Array(text.utf8)
      + [UInt8](repeating: ASCII.space, count: spaces) + [ASCII.lineFeed]
  }
}
