import PayloadCodecs

/// Instructions that are put together by hand: text, numbers of bytes, other instructions.
func pickle(_ parts: any Instruction...) -> [UInt8] { parts.flatMap(\.bytes) }

protocol Instruction { var bytes: [UInt8] { get } }

extension String: Instruction { var bytes: [UInt8] { Array(utf8) } }
extension Int: Instruction { var bytes: [UInt8] { [UInt8(self)] } }
extension [UInt8]: Instruction { var bytes: [UInt8] { self } }

func shownPickle(_ payload: [UInt8]) throws(DecodingError) -> String {
  try decode(payload, by: PickleDecoder())
}

func pickleFailure(_ payload: [UInt8]) -> DecodingError.Kind? {
  failure(payload, by: PickleDecoder())
}
