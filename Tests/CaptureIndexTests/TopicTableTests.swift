import CaptureStore
import TestSupport
import Testing

@testable import CaptureIndex

@Suite struct TopicTableTests {
  private func id(_ name: [UInt8], in table: inout TopicTable) -> Int {
    table.id(of: name.span.bytes)
  }

  @Test func idsCountFromOneAndStay() {
    var table = TopicTable()
    let names: [[UInt8]] = [[], [0], [0, 0], Array("a".utf8), Array("ab".utf8), [0xFF, 0x00]]
    #expect(names.map { id($0, in: &table) } == Array(1...6))
    #expect(names.map { id($0, in: &table) } == Array(1...6))
    #expect((1...6).map { table.name(of: $0) } == names)
    #expect(table.count == 6)
  }

  @Test func aHundredThousandTopicsAreToldApartAndTheRestIsOne() {
    var table = TopicTable()
    func name(_ number: Int) -> [UInt8] { Array("topic/\(number % 7)/\(number)".utf8) }
    for number in 1...TopicTable.countMax {
      let found = id(name(number), in: &table)
      if found != number { Issue.record("\(number) became \(found)") }
    }
    for number in stride(from: 1, through: TopicTable.countMax, by: 97) {
      #expect(id(name(number), in: &table) == number)
      #expect(table.name(of: number) == name(number))
    }
    #expect(id(name(0), in: &table) == TopicTable.overflow)
    #expect(id(name(TopicTable.countMax + 1), in: &table) == TopicTable.overflow)
    #expect(id(name(5), in: &table) == 5)
    #expect(table.count == TopicTable.countMax)
    #expect(table.name(of: TopicTable.overflow) == TopicTable.overflowName)
  }

  @Test func randomTopicsAreThoseOfADictionary() {
    var random = SplitMix64()
    var table = TopicTable()
    var known: [[UInt8]: Int] = [:]
    for _ in 0..<20_000 {
      let name = random.bytes(random.int(0...2))
      let expected = known[name] ?? known.count + 1
      known[name] = expected
      let found = id(name, in: &table)
      if found != expected { Issue.record("\(name): \(found), expected \(expected)") }
    }
    #expect(table.count == known.count && known.count > 1_000)
  }
}
