"""Reads the messages of a capture straight from its segments, as Format.md describes them.

Written from the text alone and sharing no code with zcap, so that the two check each other.

    python capture_reader.py --count CAPTURE
"""

import pathlib
import struct
import sys

MAGIC = b"\x89ZCAP\r\n\x1a"
PAGE = 4096
HEADER = struct.Struct("<IIIIqIHBB")
DATA, FOOTER = 1, 5


def messages(capture):
    """Yields (endpoint id, frames) for each message in recorded order."""
    for _, endpoint, frames in timed_messages(capture):
        yield endpoint, frames


def timed_messages(capture):
    """Yields (monotonic nanoseconds, endpoint id, frames) for each message in recorded order."""
    for path in sorted(pathlib.Path(capture, "segments").glob("*.zseg")):
        segment = path.read_bytes()
        for offset, time, count, endpoint in records(segment):
            table = struct.unpack_from(f"<{2 * count}I", segment, offset + HEADER.size)
            yield time, endpoint, [
                segment[offset + start : offset + start + size]
                for start, size in zip(table[::2], table[1::2])
            ]


def records(segment):
    """Yields (offset, monotonic nanoseconds, frame count, endpoint id) for each message in the
    bytes of a segment."""
    if segment[:4] == b"\0\0\0\0":
        return  # reserved, not in use
    if segment[:8] != MAGIC:
        raise ValueError("not a segment")
    offset = PAGE
    while offset + HEADER.size <= len(segment):
        length, _, _, _, time, count, endpoint, kind, _ = HEADER.unpack_from(segment, offset)
        if length == 0 or kind == FOOTER:
            break
        if kind == DATA:
            yield offset, time, count, endpoint
        offset += length


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "--count":
        sys.exit("usage: capture_reader.py --count CAPTURE")
    print(sum(1 for _ in messages(sys.argv[2])))
