"""Captures of numbered messages, and where and when each message of them was recorded."""

import array
import bisect
import mmap
import pathlib
import sys

import numbered
import timelines
from capture_reader import records
from rig import free_endpoint


class Recorded:
    """When the messages of a capture were recorded, by number: nanoseconds from the first one. And
    which number each of its segments begins with."""

    def __init__(self, capture):
        self.times = array.array("q")
        self.segments, self.firsts = [], []
        for path in sorted(capture.glob("segments/*.zseg")):
            self.firsts.append(len(self.times))
            self.segments.append(path)
            self.read(path)
        first = self.times[0]
        self.times = array.array("q", (time - first for time in self.times))

    def __len__(self):
        return len(self.times)

    def read(self, path):
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as segment:
            # By the monotonic clock, as a replay counts them: what a segment says of the real-time
            # clock is another figure in each, by the microseconds between its two looks.
            self.times.extend(time for _, time, _, _ in records(segment))

    def segment_index(self, number):
        return bisect.bisect_right(self.firsts, number) - 1

    def first_at(self, time):
        """The first message at a time or behind it; as many as there are where none is."""
        return bisect.bisect_left(self.times, time)


def record(rig, capture, times, traffic, options=()):
    """Records a capture of numbered messages that are sent at these times."""
    endpoint = free_endpoint()
    path = timelines.write(times, rig.folder / "asked.times")
    program = pathlib.Path(numbered.__file__)
    sender = rig.start(sys.executable, program, "send", endpoint, path, *traffic.arguments)
    rig.record_from(sender, endpoint, capture, len(times), options=options)
    return Recorded(capture)


def at_once(count):
    """Times of messages that are sent as fast as it goes."""
    return array.array("q", bytes(8 * count))
