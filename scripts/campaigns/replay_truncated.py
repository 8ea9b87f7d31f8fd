"""Files that are cut or removed while they are played are told about, and kill nothing.

A copy of a capture is played, at full speed to a subscriber that does not keep up, or at its own
pace; when some messages have come, its files are cut or removed. Small messages are copied by
libzmq as it sends them, large ones are sent by the system from where they lie: pages that are gone
kill the process by SIGBUS or, as libzmq aborts, by SIGABRT. In each case

- the replay ends by itself: with 1, or 3 where something is missing, or with 0 if all has come;
- where it is not 0, one line on standard error tells of it, and of which capture;
- what has come is as it was recorded, in its order, nothing twice."""

import array
import os
import shutil
import time

from numbered import Traffic, number_of
from player import Broken, Replay, subscriber
from recorded import record
from rig import free_endpoint

# Messages, bytes of a payload; they take the same time at their own pace.
SIZES = {"small": (60_000, 300), "large": (300, 256 << 10)}
TIMELINE_SECONDS, TOPICS = 3, 4
CASES_QUICK = 6
FILL_SECONDS, END_SECONDS = 0.3, 20
PAGE = 4096


def cut_from(size_of):
    """Cuts the segment that is played and all behind it."""
    def cut(capture, recorded, number):
        for path in recorded.segments[recorded.segment_index(number):]:
            path = capture / "segments" / path.name
            os.truncate(path, size_of(path.stat().st_size))
    return cut


def cut_last(capture, recorded, number):
    path = capture / "segments" / recorded.segments[-1].name
    os.truncate(path, path.stat().st_size // 2)


def remove_last(capture, recorded, number):
    os.remove(capture / "segments" / recorded.segments[-1].name)


def remove_all(capture, recorded, number):
    shutil.rmtree(capture)


def cut_index(capture, recorded, number):
    os.truncate(capture / "index.sqlite", 0)


DAMAGES = {
    "segments to nothing": cut_from(lambda size: 0),
    "segments to their first page": cut_from(lambda size: PAGE),
    "segments to half, within a page": cut_from(lambda size: size // 2 // PAGE * PAGE + 1000),
    "the last segment to half": cut_last,
    "the last segment removed": remove_last,
    "all removed": remove_all,
    "the index to nothing": cut_index,
}


def room(arguments):
    return 1 << 30


def seconds_max(arguments):
    return 60 + 40 * len(DAMAGES) * len(SIZES) * 2


def run(rig, arguments, chance):
    cases = [
        (size, rate, damage) for size in SIZES for rate in ["max", "1"] for damage in DAMAGES]
    if arguments.quick:
        cases = chance.sample(cases, CASES_QUICK)
    originals = {size: Original(rig, size) for size in SIZES}
    faults = 0
    for size, rate, damage in cases:
        found, outcome = originals[size].play(rate, damage, chance)
        faults += 1 if found else 0
        print(f"truncated: {size:5} {rate:>3}, {damage}: {found or 'ok'}: {outcome}")
    if faults:
        raise Broken(f"{faults} of {len(cases)} cases")
    print(f"truncated: {len(cases)} cases, none of them a crash or a silent loss")


class Original:
    """A capture, and what becomes of copies of it."""

    def __init__(self, rig, size):
        self.rig = rig
        self.path = rig.folder / size
        self.count, payload_bytes = SIZES[size]
        self.traffic = Traffic(payload_bytes, TOPICS)
        apart = round(TIMELINE_SECONDS * 1e9 / self.count)
        times = array.array("q", range(0, apart * self.count, apart))
        self.recorded = record(
            rig, self.path, times, self.traffic, options=["--segment-size", "4MiB"])

    def play(self, rate, damage, chance):
        """Returns what is wrong (None for nothing) and how it ended."""
        copy = self.rig.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.path, copy)
        endpoint = free_endpoint()
        replay = Replay(self.rig, copy, endpoint, 1, "--rate", rate)
        socket = subscriber(endpoint, queue=10)
        messages = self.take(socket, self.count // chance.randint(3, 20))
        if rate == "max":
            time.sleep(FILL_SECONDS)
        DAMAGES[damage](copy, self.recorded, len(messages))
        messages += self.take_rest(socket, replay)
        socket.close(0)
        replay.end(1)
        outcome = f"{len(messages)} of {self.count} came, it {replay.outcome()}"
        outcome += "".join(f"; {line}" for line in replay.complaints)
        return self.fault(replay, messages), outcome

    def take(self, socket, count):
        messages = []
        while len(messages) < count:
            if not socket.poll(1000 * END_SECONDS):
                raise Broken(f"nothing comes behind message {len(messages)}")
            messages.append(socket.recv_multipart())
        return messages

    def take_rest(self, socket, replay):
        messages = []
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            was_running = replay.is_running()
            while socket.poll(100):
                messages.append(socket.recv_multipart())
            if not was_running:
                break
        return messages

    def fault(self, replay, messages):
        numbers = [number_of(frames) for frames in messages]
        if any(frames != self.traffic[number] for frames, number in zip(messages, numbers)):
            return "SENT WHAT WAS NEVER RECORDED"
        if sorted(set(numbers)) != numbers:
            return "OUT OF ORDER"
        if replay.code is None:
            return "HANGS"
        if replay.code < 0:
            return "DIES"
        if replay.code == 0 and len(messages) < self.count:
            return "SILENT LOSS"
        if replay.code not in (0, 1, 3):
            return "WRONG EXIT CODE"
        if replay.code != 0 and len(replay.complaints) != 1:
            return f"{len(replay.complaints)} LINES INSTEAD OF ONE"
        if replay.code != 0 and str(replay.capture) not in replay.complaints[0]:
            return "DOES NOT SAY WHERE"
        return None
