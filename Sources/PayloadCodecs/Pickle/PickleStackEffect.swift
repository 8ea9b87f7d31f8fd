/// What an opcode takes from the stack of the pickle machine, and what it leaves there.
struct PickleStackEffect {
  /// Takes all values down to the topmost mark, and the mark.
  var takesMark = false
  /// Values that are taken below that.
  var takes = 0
  var leaves = 0
}

extension PickleOpcode {
  /// Source: CPython's `Lib/pickletools.py`, `stack_before` and `stack_after`.
  var stackEffect: PickleStackEffect {
    switch self {
    case .mark, .proto, .frame, .stop: PickleStackEffect()
    case .pop: PickleStackEffect(takes: 1)
    case .popMark: PickleStackEffect(takesMark: true)
    case .put, .put1, .put4, .memoize, .readOnlyBuffer, .persistent, .tuple1:
      PickleStackEffect(takes: 1, leaves: 1)
    case .duplicate: PickleStackEffect(takes: 1, leaves: 2)
    case .append, .build, .reduce, .newObject, .stackGlobal, .tuple2:
      PickleStackEffect(takes: 2, leaves: 1)
    case .setItem, .newObjectKeywords, .tuple3: PickleStackEffect(takes: 3, leaves: 1)
    case .appends, .setItems, .addItems: PickleStackEffect(takesMark: true, takes: 1, leaves: 1)
    case .dict, .list, .tuple, .frozenSet, .object, .instance:
      PickleStackEffect(takesMark: true, leaves: 1)
    default: PickleStackEffect(leaves: 1)
    }
  }
}
