import Foundation

/// A parser, and what is done with any bytes that it may meet.
///
/// The fuzzer calls `run` millions of times, the tests once for each input of the corpus. A broken
/// promise is a failed precondition; a read past the end is found by AddressSanitizer.
package enum FuzzTarget: String, CaseIterable, Sendable {
  /// The records of segments, checked and touched byte by byte.
  case segment
  /// `capture.json`.
  case manifest
  /// The indexing walk, with topics and codecs.
  case walk
  /// Ending what was left unended, twice.
  case recovery
  /// What `zcap verify` does with segments.
  case verification
  /// The codecs, with a payload.
  case payload
  /// The decoders, with a payload of any kind.
  case json
  case msgpack
  case pickle
  case protobuf
  case flatbuffers
  case capnp
  /// Arrays and structs.
  case layout
  /// Pictures and compressed data.
  case file

  /// Inputs beyond this are cut: long ones cost time and find nothing new.
  package static let inputMax = 4096

  /// Where the committed inputs are.
  package static func corpus(repository: String, _ target: FuzzTarget) -> String {
    "\(repository)/Tests/Fuzzing/corpus/\(target.rawValue)"
  }

  package func run(_ input: UnsafeRawBufferPointer) {
    let input = UnsafeRawBufferPointer(rebasing: input.prefix(Self.inputMax))
    switch self {
    case .segment: FuzzedSegments.walkRecords(input)
    case .manifest: FuzzedManifest.load(input)
    case .walk: FuzzedSegments.walkIndex(input)
    case .recovery: FuzzedSegments.recover(input)
    case .verification: FuzzedSegments.verify(input)
    case .payload: FuzzedPayload.detect(input)
    case .json, .msgpack, .pickle, .protobuf, .flatbuffers, .capnp, .layout, .file:
      FuzzedDecoding.decode(input, as: tags)
    }
  }

  /// What a decoder's input is said to be.
  private var tags: [String] {
    switch self {
    case .protobuf: ["protobuf", "protobuf(zcap.test.Everything)", "protobuf(zcap.test2.Old)"]
    case .flatbuffers: ["flatbuffers", "flatbuffers(Zcap.Test.Everything)"]
    case .capnp: ["capnp", "capnp(Everything)", "capnp(Pointers)"]
    case .layout:
      ["npy", "ndarray(float16)", "ndarray(complex64,3x2)", "struct(<Ib5s3p?e:a,b,c,d,f,g)"]
    case .file: ["image/png", "image/jpeg", "gzip", "zstd", "lz4"]
    default: [rawValue]
    }
  }
}
