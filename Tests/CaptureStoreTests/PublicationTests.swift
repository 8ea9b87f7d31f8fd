import CStops
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import CaptureStore

/// What others find in a segment while its writer is in the middle of a call.
///
/// In processes of their own, because signals stop the writer there. That its stores are seen in
/// their order elsewhere is the work of `.releasing`; on x86-64 it is so without.
@Suite struct PublicationTests {
  /// A segment in a file that held something else, so that a zero is there only where it is stored.
  private static func reserved(_ directory: TemporaryDirectory) throws -> SegmentWriter {
    let writer = try SegmentWriter(directory: directory.path, number: 0, size: 1 << 20)
    let page = SegmentLayout.headerSize
    memset(writer.mapping.buffer.baseAddress! + page, 0xEE, writer.mapping.count - page)
    return writer
  }

  private static func append(_ writer: SegmentWriter, _ frames: Span<UnsafeRawBufferPointer>) {
    let description = SegmentWriter.Description(
      kind: .data, sequence: writer.committedSequence.load(ordering: .relaxed),
      monotonicNanoseconds: 7)
    guard writer.append(description, frames: frames) else { fatalError("there is room") }
  }

  private static func bytes(_ range: Range<Int>, of writer: SegmentWriter) -> [UInt8] {
    Array(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(writer.mapping.buffer)[range]))
  }

  /// Makes a call an instruction at a time, from its first write to a page on where there is one.
  /// Returns what some bytes are at the moment that a word changes; nil when it does not.
  private static func bytes(
    _ count: Int, at bytes: UnsafeRawPointer, when word: UnsafeRawPointer,
    afterWriteTo page: UnsafeMutableRawPointer? = nil, changesIn call: () -> Void
  ) -> [UInt8]? {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 8)
    defer { copy.deallocate() }
    let word = word.assumingMemoryBound(to: UInt32.self)
    let isBegun =
      if let page {
        begin_steps_at_page(page, Int(getpagesize()), word, bytes, copy.baseAddress!, count)
      } else {
        begin_steps(word, bytes, copy.baseAddress!, count)
      }
    guard isBegun else { return nil }
    call()
    return end_steps().changed > 0 ? Array(copy) : nil
  }

  private static func address<Value>(_ counter: borrowing Atomic<Value>) -> UnsafeRawPointer {
    withUnsafePointer(to: counter) { UnsafeRawPointer($0) }
  }

  /// Every path of the copy: no frame, gaps, an empty frame, one of 64 bytes' alignment.
  private static let messages: [[[UInt8]]] = [
    [], [[]], [[1, 2, 3]], [[1], [], [UInt8](repeating: 2, count: 17)],
    [[1, 2, 3, 4, 5], [UInt8](repeating: 3, count: 1_100), [4]],
  ]

  @Test(.enabled(if: can_step()))
  func aRecordAndTheZeroBehindItAreThereWhenItsLengthIs() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let writer = try Self.reserved(directory)
      writer.start(captureID: 1, firstSequence: 0)
      for message in Self.messages {
        let start = writer.committedSize
        let record = UnsafeRawPointer(writer.mapping.buffer.baseAddress! + start)
        let found = withFrames(message) { frames in
          Self.bytes(2_048, at: record, when: record) { Self.append(writer, frames) }
        }
        let end = writer.committedSize
        #expect(found?[..<(end - start + 8)] == Self.bytes(start..<end + 8, of: writer)[...])
        #expect(Self.bytes(end..<end + 8, of: writer) == Array(repeating: 0, count: 8))
      }
    }
  }

  @Test(.enabled(if: can_step()))
  func theFirstPageAndTheZeroBehindItAreThereWhenItsFirstWordIs() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let writer = try Self.reserved(directory)
      let page = writer.mapping.buffer.baseAddress!
      let found = Self.bytes(4_104, at: page, when: page, afterWriteTo: page) {
        writer.start(captureID: 1, firstSequence: 0)
      }
      #expect(found == Self.bytes(0..<4_104, of: writer))
      #expect(found?.suffix(8) == Array(repeating: 0, count: 8)[...])
    }
  }

  /// Else a sync could make less durable than it tells.
  @Test(.enabled(if: can_step()))
  func aRecordIsThereWhenTheEndBehindItIsTold() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let writer = try Self.reserved(directory)
      writer.start(captureID: 1, firstSequence: 0)
      for end in [Self.address(writer.committedEnd), Self.address(writer.contentEnd)] {
        let start = writer.committedSize
        let record = UnsafeRawPointer(writer.mapping.buffer.baseAddress! + start)
        let found = withFrames([[1, 2, 3], [4]]) { frames in
          Self.bytes(64, at: record, when: end) { Self.append(writer, frames) }
        }
        #expect(writer.committedSize == start + 64)
        #expect(found == Self.bytes(start..<start + 64, of: writer))
      }
    }
  }

  /// So an end that is loaded behind a sequence goes with it, or lies behind it.
  @Test(.enabled(if: can_step()))
  func theEndsAreToldBeforeTheSequence() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let writer = try Self.reserved(directory)
      writer.start(captureID: 1, firstSequence: 0)
      let sequence = Self.address(writer.committedSequence)
      for end in [Self.address(writer.committedEnd), Self.address(writer.contentEnd)] {
        let found = withFrames([[1, 2, 3]]) { frames in
          Self.bytes(8, at: end, when: sequence) { Self.append(writer, frames) }
        }
        #expect(found == SegmentBytes.littleEndian(UInt64(writer.committedSize)))
      }
    }
  }

  /// The same on every machine, in less detail: the copy stops at the first byte of a frame.
  @Test func aRecordHasNoLengthWhileItsFramesAreCopied() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let writer = try Self.reserved(directory)
      writer.start(captureID: 1, firstSequence: 0)
      let start = writer.committedSize
      let length = (writer.mapping.buffer.baseAddress! + start).assumingMemoryBound(to: UInt32.self)

      let size = Int(getpagesize())
      let page = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
      memset(page, 5, size)
      let topic: [UInt8] = [1, 2, 3]
      let stops = topic.withUnsafeBytes { topic in
        let frames = [topic, UnsafeRawBufferPointer(start: page, count: size)]
        guard stop_at_page(page, size, length) else { fatalError("no handler") }
        Self.append(writer, frames.span)
        return end_page_stops()
      }
      #expect(stops.count == 1)
      #expect(stops.word == 0)
      #expect(length.pointee == UInt32(writer.committedSize - start))
      let last = writer.committedSize - size
      #expect(Self.bytes(last..<last + size, of: writer) == Array(repeating: 5, count: size))
    }
  }
}
