import ArgumentParser
import CaptureStore
import Recording

/// How a recording lies on its disk.
struct StorageOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      Bytes of each segment file. (default: 256MiB, with --keep an eighth of its bytes or 64MiB)
      """, valueName: "bytes"))
  var segmentSize: ByteSize?

  @Option(
    help: ArgumentHelp(
      """
      How often what was recorded is put on stable storage, which a power loss cannot take: a \
      time, 0 for when a segment is full, or always, which is slow.
      """, valueName: "interval"))
  var sync = SyncArgument(.standard)

  @Option(
    help: ArgumentHelp(
      "Leave this much of the disk free, such as 5% or 2GiB: below it, recording ends.",
      valueName: "space"))
  var minFree = FreeSpaceArgument(.standard)

  /// `keep`: what is said of what to keep.
  func check(_ keep: Retention?) throws {
    guard let size = segmentSize?.bytes else { return }
    let least = CaptureWriter.segmentSizes.lowerBound
    let most = min(CaptureWriter.segmentSizes.upperBound, keep?.segmentSizeMax ?? .max)
    guard size >= least && size <= most else {
      throw ValidationError(
        "--segment-size \(size): from \(Units.binary(least)) to \(Units.binary(most))"
          + (most < CaptureWriter.segmentSizes.upperBound ? ", an eighth of --keep" : ""))
    }
  }

  /// `keep`: what the recording will keep.
  func apply(to plan: inout RecordingPlan, _ keep: Retention?) {
    plan.segmentSize =
      segmentSize?.bytes ?? keep?.segmentSizeDefault ?? CaptureWriter.segmentSizeDefault
    plan.sync = sync.policy
    plan.freeSpaceMin = minFree.least
  }
}
