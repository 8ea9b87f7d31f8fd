import GRDB
import PayloadCodecs

/// Which tags of an index were never more than a guess.
struct CodecGuesses {
  private struct Stream: Hashable {
    var endpoint: Int
    var topic: Int
  }

  /// A tag at a position.
  private struct Place: Hashable {
    var position: Int
    var tag: CodecTag
  }

  /// The surest that each was, of streams that have a guess.
  private var surest: [Stream: [Place: Confidence]] = [:]

  init(_ database: Database) throws {
    let streams = "SELECT endpoint, topic FROM era WHERE instr(tags, '?')"
    for era in try IndexDatabase.eras(database, where: "(endpoint, topic) IN (\(streams))") {
      let stream = Stream(endpoint: era.endpoint, topic: era.topic)
      for (position, tag) in era.tags.tags.enumerated() {
        guard let tag else { continue }
        let place = Place(position: position, tag: tag)
        let confidence = era.tags.confidences[position]
        surest[stream, default: [:]][place] = max(confidence, surest[stream]?[place] ?? .guess)
      }
    }
  }

  /// The positions in the tag of messages of a stream that are guesses, and doubtful ones.
  func positions(endpoint: Int, topic: Int, _ codec: String) -> [Int] {
    guard let surest = surest[Stream(endpoint: endpoint, topic: topic)] else { return [] }
    return codec.split(separator: "|").enumerated().compactMap { position, part in
      let tag = CodecTag(rawValue: String(part))
      let confidence = surest[Place(position: position, tag: tag)] ?? .certain
      return Detection(tag, confidence).isDoubtful ? position : nil
    }
  }
}
