// Others behind a writer, watched by ThreadSanitizer: scripts/races.
//
// It knows which orderings order what, also where the machine would not show it. All use the same
// addresses here, as it tells threads apart by what they do at one address.

import Glibc
import Synchronization
import TestSupport
import Threads

@testable import CaptureStore

let count: UInt64 = 20_000

/// Writes a segment while a thread follows.
func race(_ name: String, _ follow: @escaping @Sendable (SegmentWriter, Segment) -> Void) throws {
  let files = FileSystem(MemoryFiles())
  let writer = try SegmentWriter(path: "/segment", number: 0, size: 8 << 20, files: files)
  writer.start(captureID: 1, firstSequence: 0)
  guard let segment = try Segment(path: "/segment", files: files) else {
    fatalError("a segment that was started")
  }
  let follower = WorkerThread(name: name) { follow(writer, segment) }
  for sequence in 0..<count {
    withFrames([frame(sequence)]) { frames in
      let description = SegmentWriter.Description(
        kind: .data, sequence: sequence, monotonicNanoseconds: 0)
      guard writer.append(description, frames: frames) else { fatalError("there is room") }
    }
  }
  follower.join()
  print("\(name): followed \(count) records while they were written")
}

func frame(_ sequence: UInt64) -> [UInt8] {
  [UInt8](repeating: UInt8(truncatingIfNeeded: sequence), count: 100)
}

/// Follows an end that is told, and reads every byte before it.
func chase(_ name: String, _ end: @escaping @Sendable (SegmentWriter) -> Int?) throws {
  try race(name) { writer, _ in
    var place = SegmentLayout.headerSize
    var isLast = false
    var sum: UInt64 = 0
    while !isLast {
      isLast = writer.committedSequence.load(ordering: .relaxed) == count
      guard let next = end(writer), next > place else {
        sched_yield()
        continue
      }
      for offset in stride(from: place, to: next, by: 8) {
        sum &+= writer.mapping.buffer.load(fromByteOffset: offset, as: UInt64.self)
      }
      place = next
    }
    if sum == 0 { fatalError("nothing was written") }
  }
}

try race("reader") { _, segment in
  var cursor = SegmentCursor(segment, verifying: .body)
  var next: UInt64 = 0
  while next < count {
    switch cursor.next() {
    case .record(let record):
      guard record.sequence == next,
        TestMessage(record, in: segment)?.frames == [frame(next)]
      else {
        fatalError("not what was written")
      }
      next += 1
    case .end(isSealed: false): sched_yield()
    case let step: fatalError("\(step)")
    }
  }
}
try chase("committed end") { $0.committedEnd.load(ordering: .acquiring) }
try chase("content end") { $0.contentEnd.load(ordering: .acquiring) }
// What a sync tells of has to be there. Only an end that lies behind its sequence shows more than
// the sequence orders, so a race is met in most rounds and not in each.
for round in 1...10 {
  try chase("sync \(round)") { (try? $0.synchronize())?.offset }
}
