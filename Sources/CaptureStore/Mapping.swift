/// A mapped file: the owner of its address range, unmapped when the owner goes.
@safe final class Mapping: @unchecked Sendable {
  let path: String
  let buffer: UnsafeMutableRawBufferPointer

  /// Maps `size` bytes of an open file; the mapping outlives the descriptor. `size` is not 0.
  init(
    _ file: FileSystem.File, path: String, size: Int, writable: Bool
  ) throws(StoreError) {
    self.path = path
    let base = unsafe try FileSystem.map(file, path, size: size, writable: writable)
    unsafe buffer = UnsafeMutableRawBufferPointer(start: base, count: size)
  }

  deinit { unsafe FileSystem.unmap(buffer) }

  var count: Int { unsafe buffer.count }

  /// Passes advice for the pages of a range of offsets, rounded outwards to whole pages.
  func advise(_ range: Range<Int>, _ advice: FileSystem.Advice) throws(StoreError) {
    let pageSize = 4096
    let start = range.lowerBound & ~(pageSize - 1)
    let end = min(aligned(range.upperBound, to: pageSize), count)
    guard start < end else { return }
    let pages = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[start..<end])
    unsafe try FileSystem.advise(pages, advice, path)
  }
}
