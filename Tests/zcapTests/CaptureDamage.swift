import Foundation
import TestSupport

@testable import CaptureStore

/// Ways to spoil a capture that `MadeCapture.evenly` made.
extension Rig {
  /// Changes the last byte of a message's payload, in the first segment.
  func flipByte(in name: String, message sequence: UInt64) throws {
    let path = CapturePath.segment(capture(name), 0)
    var cursor = CaptureCursor(try Capture(path: capture(name)), verifying: .body)
    while case .record(let record) = cursor.next() {
      guard record.kind == .data, record.sequence == sequence else { continue }
      let last = record.frameCount - 1
      guard let range = cursor.segment?.frameRange(last, of: record) else { break }
      var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
      bytes[range.upperBound - 1] ^= 0x80
      try bytes.write(to: URL(fileURLWithPath: path))
      return
    }
    throw TestFailure("\(path): no message \(sequence)")
  }

  /// Gives the first segment a version that does not exist yet, with a check that matches.
  func makeSegmentNewer(in name: String) throws {
    let path = CapturePath.segment(capture(name), 0)
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    func store(_ value: UInt32, at offset: Int) {
      for index in 0..<4 {
        bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index))
      }
    }
    store(SegmentLayout.version + 1, at: SegmentLayout.versionOffset)
    store(0, at: SegmentLayout.checkOffset)
    let check = bytes[..<SegmentLayout.headerSize].withUnsafeBytes { checksum($0, seed: 0) }
    store(check, at: SegmentLayout.checkOffset)
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }

  /// Gives the manifest a format version that does not exist yet.
  func makeManifestNewer(in name: String) throws {
    let file = URL(fileURLWithPath: CapturePath.manifest(capture(name)))
    let text = try String(contentsOf: file, encoding: .utf8)
    let newer = text.replacingOccurrences(
      of: #""format" : \#(Manifest.formatVersion)"#,
      with: #""format" : \#(Manifest.formatVersion + 1)"#)
    guard newer != text else { throw TestFailure("\(file.path): has no format version") }
    try Data(newer.utf8).write(to: file)
  }
}
