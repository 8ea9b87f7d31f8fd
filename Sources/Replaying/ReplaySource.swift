public import CaptureIndex

/// A capture that is replayed, and which of its messages.
public struct ReplaySource {
  public var index: IndexReader
  public var selection: Selection

  public init(_ index: IndexReader, _ selection: Selection = Selection()) {
    self.index = index
    self.selection = selection
  }
}
