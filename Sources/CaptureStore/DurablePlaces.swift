/// Up to where the segments of a capture had been on stable storage, as its checkpoints say.
struct DurablePlaces {
  /// Each with the number of the segment that says so.
  private var places: [(segment: UInt64, offset: Int, teller: UInt64)] = []
  /// Segments that were ended after the fact, and the first one that says so.
  private var recovered: [UInt64: UInt64] = [:]

  /// What the checkpoints in one segment say: offsets by segment.
  mutating func add(_ offsets: [UInt64: Int], by teller: UInt64) {
    for (segment, offset) in offsets { places.append((segment, offset, teller)) }
  }

  /// Segments that events in one tell to have been ended by a recovery.
  mutating func add(recovered numbers: some Sequence<UInt64>, by teller: UInt64) {
    for number in numbers {
      recovered[number] = min(recovered[number] ?? teller, teller)
    }
  }

  /// A segment whose own end says that a recovery wrote it. Another capture that has the same file may
  /// have been recovered, and this one knows nothing of it.
  mutating func add(endedAfterwards number: UInt64) {
    recovered[number] = recovered[number] ?? number + 1
  }

  func isRecovered(_ number: UInt64) -> Bool { recovered[number] != nil }

  /// Up to which offset a segment had been on stable storage; `.max` where all of it had been.
  func end(of number: UInt64) -> Int {
    var end = 0
    for place in places {
      if place.segment == number {
        end = max(end, place.offset)
      } else if place.segment > number {
        // Said of all before it, unless by a later recording than the one that left it unended.
        if let recovery = recovered[number], place.teller >= recovery { continue }
        return .max
      }
    }
    return end
  }
}
