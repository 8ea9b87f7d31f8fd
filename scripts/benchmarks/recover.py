"""How long the recovery of a segment takes that its recorder left without an end.

Captures with one segment of 64, 128, 256 and 512 MiB, full of messages of two frames (16 and 1,000
bytes), without footer and with zeros up to the reserved size: as SIGKILL leaves them. They are in
the page cache and on disk, so that syncing them is not what is measured. `zcap recover --json` runs 7
times on each, each time on what the recorder left; its `recovery_seconds` counts, the part without the
index and the start of the program. The median for 256 MiB must be below 200 ms, and that for 512
MiB at most 2.5 times that for 256 MiB."""

import json
import os
import statistics
import subprocess
import sys

from rig import TIMEOUT, Rig, options, save

LIMIT_MS = 200
LIMIT_RATIO = 2.5
RUNS = 7
PAYLOAD = 1000
RECORD = 32 + 2 * 8 + 16 + PAYLOAD
FOOTER = 48


class Unclean:
    """A capture whose only segment can be left without an end again and again."""

    def __init__(self, rig, mebibytes):
        self.rig = rig
        self.size = mebibytes << 20
        self.capture = rig.folder / f"capture-{mebibytes}"
        self.messages = (self.size - 8192) // RECORD
        rig.record(
            self.capture, self.messages, PAYLOAD, options=["--segment-size", f"{mebibytes}MiB"])
        self.segments = self.capture / "segments"
        self.segment = self.segments / "000000000000.zseg"
        if [path.name for path in self.segments.iterdir()] != [self.segment.name]:
            sys.exit("bench: more than one segment")

    def leave(self):
        for path in self.segments.iterdir():
            if path != self.segment:
                path.unlink()
        with open(self.segment, "r+b") as file:
            file.truncate(os.fstat(file.fileno()).st_size - FOOTER)
            os.posix_fallocate(file.fileno(), 0, self.size)
            os.fsync(file.fileno())
            while file.read(1 << 20):
                pass

    def recover(self):
        output = subprocess.run(
            [self.rig.zcap, "recover", self.capture, "--json"], check=True, capture_output=True,
            timeout=TIMEOUT).stdout
        result = json.loads(output)
        if result["messages"] != self.messages or result["segments_ended"] != 1:
            sys.exit(f"bench: {result}, not {self.messages} messages")
        return 1000 * result["recovery_seconds"]


def main():
    arguments = options(__doc__)
    sizes = [64, 128, 256, 512]
    medians = {}
    results = []
    with Rig(room=4 << 30, in_memory=False) as rig:
        for mebibytes in sizes:
            unclean = Unclean(rig, mebibytes)
            times = []
            for _ in range(3 if arguments.quick else RUNS):
                unclean.leave()
                times.append(unclean.recover())
            medians[mebibytes] = statistics.median(times)
            print(
                f"{mebibytes:4} MiB  {unclean.messages:7} messages  {medians[mebibytes]:7.1f} ms  "
                f"{mebibytes / 1.024 / medians[mebibytes]:5.2f} GiB/s", flush=True)
            results.append({
                "mebibytes": mebibytes, "messages": unclean.messages,
                "median_ms": medians[mebibytes], "runs_ms": times})
    ratio = medians[512] / medians[256]
    is_within = medians[256] < LIMIT_MS and ratio <= LIMIT_RATIO
    print(f"512 MiB takes {ratio:.2f} times as long as 256 MiB  {'ok' if is_within else 'MISSED'}")
    if arguments.save:
        save("recover", {
            "limit_ms_of_256_mib": LIMIT_MS, "limit_ratio": LIMIT_RATIO, "is_within": is_within,
            "results": results})
    sys.exit(0 if is_within else 1)


main()
