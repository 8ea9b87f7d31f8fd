/// A mapped file: the owner of its address range, unmapped when the owner goes.
@safe final class Mapping: @unchecked Sendable {
  let path: String
  private let files: FileSystem
  let buffer: UnsafeMutableRawBufferPointer

  /// Maps `size` bytes of an open file; the mapping outlives the descriptor. `size` is not 0.
  init(
    _ file: FileSystem.File, path: String, size: Int, writable: Bool, files: FileSystem
  ) throws(StoreError) {
    self.path = path
    self.files = files
    let base = unsafe try files.map(file, path, size: size, writable: writable)
    unsafe buffer = UnsafeMutableRawBufferPointer(start: base, count: size)
  }

  deinit { unsafe files.unmap(buffer) }

  var count: Int { unsafe buffer.count }

  /// Passes advice for the pages of a range of offsets.
  func advise(_ range: Range<Int>, _ advice: FileSystem.Advice) throws(StoreError) {
    guard let pages = unsafe pages(range) else { return }
    unsafe try files.advise(pages, advice, path)
  }

  /// Puts the pages of a range of offsets on stable storage.
  func synchronize(_ range: Range<Int>) throws(StoreError) {
    guard let pages = unsafe pages(range) else { return }
    unsafe try files.synchronize(pages, path)
  }

  /// A range of offsets rounded outwards to whole pages; nil when it is empty.
  private func pages(_ range: Range<Int>) -> UnsafeMutableRawBufferPointer? {
    let pageSize = 4096
    let start = range.lowerBound & ~(pageSize - 1)
    let end = min(aligned(range.upperBound, to: pageSize), count)
    guard start < end else { return nil }
    return unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[start..<end])
  }
}
