/// When what was recorded is put on stable storage.
public enum SyncPolicy: Hashable, Sendable {
  /// When a segment is full, and at the end: a power loss takes what the system had not written.
  case atSeal
  /// Every so many nanoseconds: a power loss takes no more than that, and what was on its way.
  case every(nanoseconds: Int64)
  /// After each burst, before more is received: what had come meanwhile, and no more than 256
  /// messages of each endpoint. A power loss takes that at most.
  case always

  /// Every second.
  public static let standard = SyncPolicy.every(nanoseconds: 1_000_000_000)

  var isTimed: Bool { if case .every = self { true } else { false } }
}

/// How much of its file system a recording leaves to others: below that no segment is begun.
public enum FreeSpaceMin: Hashable, Sendable {
  case bytes(Int)
  /// Of the size of the file system, 0 to 100.
  case percent(Double)

  /// 256 MiB.
  public static let standard = FreeSpaceMin.bytes(256 << 20)
  /// The file system may be filled to the last byte.
  public static let none = FreeSpaceMin.bytes(0)

  /// Throws `freeSpace` when less would be left after `size` bytes more.
  func check(_ path: String, taking size: Int, _ files: FileSystem) throws(StoreError) {
    guard self != .none else { return }
    let space = try files.space(path)
    let least =
      switch self {
      case .bytes(let bytes): bytes
      case .percent(let percent): Int(Double(space.total) * percent / 100)
      }
    guard space.free - size >= least else {
      throw .freeSpace(path: path, free: space.free, needed: size, least: least)
    }
  }

  /// Throws `freeSpace` when what was reserved may not be there to be written to. Some is left in
  /// any case: what the pages hold that are about to be written.
  func checkWeakReservation(_ path: String, _ files: FileSystem) throws(StoreError) {
    if try files.keepsReservations(path) { return }
    try check(path, taking: 0, files)
    try FreeSpaceMin.bytes(64 << 20).check(path, taking: 0, files)
  }
}

/// What a writer learnt of its storage, for whoever records to tell.
public enum StorageNotice: Hashable, Sendable {
  /// A window of the recording is a capture of its own now, or why it is not.
  case pinned(PinOutcome)
  /// No segment can be made any more; recording ends when the present one is full.
  case lastSegment(StoreError)
  /// The disk has no room for all that a ring is to keep: it keeps what fits. Said once.
  case ringIsShort(StoreError)
  /// A sync failed: nothing from here on is known to be on stable storage.
  case syncFailed(StoreError)
}
