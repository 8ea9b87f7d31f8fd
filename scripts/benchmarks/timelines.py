"""Timelines: when the messages of a capture were sent, as nanoseconds of some clock.

A file of one holds 64-bit integers, as pacer.c reads and arrivals.c writes them."""

import array
import random
import sys

from rig import HERE, free_endpoint

sys.path.append(str(HERE.parent))
from capture_reader import timed_messages

SEED = 5


def poisson(rate, seconds):
    """Times at which nothing is known of the next from those before, `rate` a second."""
    chance = random.Random(SEED)
    times, time = array.array("q"), 0.0
    while time < seconds:
        times.append(round(time * 1e9))
        time += chance.expovariate(rate)
    return times


def record(rig, capture, times, size):
    """Records a capture from a publisher that sends at these times. Returns the recorded ones,
    which the machine moves a little."""
    endpoint = free_endpoint()
    path = write(times, rig.folder / "asked.times")
    publisher = rig.start(rig.folder / "pacer", endpoint, path, size)
    rig.record_from(publisher, endpoint, capture, len(times))
    return array.array("q", (time for time, _, _ in timed_messages(capture)))


def write(times, path):
    path.write_bytes(times.tobytes())
    return path


def read(path):
    times = array.array("q")
    times.frombytes(path.read_bytes())
    return times
