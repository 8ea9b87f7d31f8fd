import Glibc

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
  ///
  /// All but the last are taken out of the address space first, in one go, with what the system
  /// mapped together with them. Else it makes each of them read-only by itself when it writes it,
  /// and interrupts every CPU that runs a thread of this process each time: that took an eighth of
  /// a recording's time. Who needs them again faults them in: nothing of what is in them is lost.
  func synchronize(_ range: Range<Int>) throws(StoreError) {
    guard let pages = unsafe pages(range) else { return }
    let lastPage = range.upperBound & ~(Self.pageSize - 1)
    if range.lowerBound < lastPage { try? advise(range.lowerBound..<lastPage, .unused) }
    unsafe try files.synchronize(pages, path)
  }

  private static let pageSize = Int(getpagesize())

  /// A range of offsets rounded outwards to whole pages; nil when it is empty.
  private func pages(_ range: Range<Int>) -> UnsafeMutableRawBufferPointer? {
    let start = range.lowerBound & ~(Self.pageSize - 1)
    let end = min(aligned(range.upperBound, to: Self.pageSize), count)
    guard start < end else { return nil }
    return unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[start..<end])
  }
}
