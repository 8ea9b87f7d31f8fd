import CaptureStore
import PayloadCodecs
import TestSupport

/// `capture.json`, as somebody else may have written it.
enum FuzzedManifest {
  private static let files = MemoryFiles()
  private static let system = FileSystem(files)

  /// What can be read can be written, and is the same when it is read again.
  static func load(_ input: UnsafeRawBufferPointer) {
    files.put(CapturePath.manifest("/m"), input)
    guard let manifest = try? Manifest.load(capture: "/m", files: system) else { return }
    try! manifest.save(capture: "/m", files: system)
    let again = try? Manifest.load(capture: "/m", files: system)
    precondition(again == manifest, "\(manifest)")
  }
}

/// A payload of any kind.
enum FuzzedPayload {
  /// Deterministic, and the same whatever surrounds it: an exact copy tells reads past its end.
  static func detect(_ input: UnsafeRawBufferPointer) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count, alignment: 1)
    defer { copy.deallocate() }
    copy.copyMemory(from: input)
    let first = CodecRegistry.standard.detect(RawSpan(_unsafeBytes: copy))
    precondition(input.isEmpty == (first.tag == .empty), "\(first)")
  }
}
