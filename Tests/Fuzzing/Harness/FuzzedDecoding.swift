import Foundation
import PayloadCodecs
import TestSupport

/// A payload as a decoder meets it, whatever its tag says.
enum FuzzedDecoding {
  /// Types of the fixtures' schemas, which have one of everything.
  private nonisolated(unsafe) static var decoders = DecoderSet(
    schemas: SchemaSet(
      ["everything.desc", "everything.bfbs", "everything.request", "pointers.request"].map {
        try! Schema(fixture($0))
      }))

  private static func fixture(_ name: String) -> [UInt8] {
    let folder = "\(Programs.repository)/Tests/PayloadCodecsTests/Fixtures"
    return Array(try! Data(contentsOf: URL(filePath: "\(folder)/\(name)")))
  }

  /// Shows the input by each tag. What is shown is one JSON value, also where an error ends it, and
  /// takes no more memory than it may.
  static func decode(_ input: UnsafeRawBufferPointer, as tags: [String]) {
    // An exact copy tells reads past its end.
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count, alignment: 1)
    defer { copy.deallocate() }
    copy.copyMemory(from: input)
    for tag in tags {
      let decoder = decoders.decoder(for: CodecTag(rawValue: tag))!
      var limits = DecodingLimits(payloadBytes: input.count)
      // The check puts it into an array, and follows no more levels than that.
      limits.depth -= 1
      // What points at itself again and again writes megabytes: one in sixteen may.
      if input.reduce(0, { $0 &+ $1 }) & 15 != 0 {
        limits.outputBytes = (16 << 10) + 8 * input.count
      }
      var output = JSONOutput(limits)
      do throws(DecodingError) {
        try decoder.decode(RawSpan(_unsafeBytes: copy), to: &output)
        precondition(!output.bytes.isEmpty, "\(tag) shows nothing")
      } catch {
        precondition((0...input.count).contains(error.offset), "\(tag): \(error)")
        output.closeAll()
      }
      precondition(output.bytes.capacity <= 16 << 20, "\(tag): too much memory")
      check(output.bytes, tag)
    }
  }

  private static func check(_ json: [UInt8], _ tag: String) {
    guard json.count < CodecRegistry.examinedBytesMax - 2 else { return }
    let array = [UInt8(ascii: "[")] + json + [UInt8(ascii: "]")]
    let found = array.withUnsafeBytes {
      CodecRegistry([JSONCodec()]).detect(RawSpan(_unsafeBytes: $0))
    }
    precondition(
      found == Detection(.json, .certain),
      "\(tag): \(String(decoding: json.suffix(200), as: UTF8.self))")
  }
}
