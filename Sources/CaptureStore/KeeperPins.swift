import Synchronization
import Threads

/// What a keeper does for the captures of windows: begun, given their segments, ended.
extension KeeperWork {
  /// False: the recording has ended.
  func pin(_ request: PinRequest) -> Bool {
    let pin = Pin(request, files: settings.files)
    return state.withLock { state in
      if state.arePinsOver { return false }
      state.pins.append(pin)
      return true
    }
  }

  /// What is left of them when everything is sealed.
  func endPins() {
    // Those that came when everything was about to be sealed have nothing yet.
    while let work = state.withLock(pinWork) { perform(work) }
    let (pins, stopped) = state.withLock { state in
      defer { state.pins = [] }
      state.arePinsOver = true
      return (state.pins, state.stopped)
    }
    let outcomes = pins.map { pin in
      if let failure = state.withLock({ $0.syncFailure(of: pin) }) { pin.fail(failure) }
      return pin.end(recordedUntil: stopped ?? CaptureClock.monotonicNanoseconds())
    }
    state.withLock { $0.pinOutcomes += outcomes }
  }

  /// What the first pin needs that needs anything now.
  func pinWork(_ state: inout KeeperState) -> AheadWork? {
    guard !state.pins.isEmpty else { return nil }
    let now = state.stopped ?? CaptureClock.monotonicNanoseconds()
    for (index, pin) in state.pins.enumerated() {
      let wanted = state.segments(wantedBy: pin)
      if !pin.isBegun {
        let (number, sequence) =
          wanted.first.map { ($0.number, $0.firstSequence) }
          ?? (state.active.number, state.active.firstSequence)
        return .begin(
          pin, with: Manifest.Beginning(segment: number, sequence: sequence),
          isLate: state.hasMadeRoom(since: pin.request.from))
      }
      if !wanted.isEmpty && pin.failure == nil && !pin.isOver { return .link(wanted, pin) }
      guard now >= pin.request.until || state.isStopping || pin.failure != nil else { continue }
      if pin.linked.contains(state.active.number), pin.failure == nil, !state.isStopping {
        if !state.isRollAsked {
          state.isRollAsked = true
          news.wrappingAdd(1, ordering: .relaxed)
        }
        continue
      }
      // No further segment is wanted; those that it has are sealed first.
      pin.isOver = true
      let unsealed = state.unsealed.map(\.segment.number)
      guard pin.linked.isDisjoint(with: unsealed) || pin.failure != nil else { continue }
      state.pins.remove(at: index)
      if let failure = state.syncFailure(of: pin) { pin.fail(failure) }
      return .end(pin, recordedUntil: now)
    }
    return nil
  }
}
