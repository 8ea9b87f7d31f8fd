"""How far behind their times messages leave: a Poisson timeline of 10,000 messages a second.

    loop   pacer.c: sleeps until 60 us before a message is due, spins, and sends it
    zcap   zcap replay --rate 1 of a capture
    lcm    lcm-logplayer of a log of LCM, a library for robots, where it is installed: from PyPI
           (`pip install lcm`, also in .venv) or Debian (liblcm-bin). There is no row without it

A live publisher (pacer.c) is recorded once. The times in that capture are the timeline of all
three; LCM's log has whole microseconds of them. They run one after the other in an order that turns
with each round; a figure is the median of the rounds. It is told two ways:

    leaving    as the sender finds it before it hands over a message: zcap in its summary (older
               ones tell the maximum only), the loop by its own clock, LCM not at all
    arriving   how much later than its time a message came to the receiver (arrivals.c), less that
               of the message that came the earliest: what the way takes every time is left out, but
               what the kernel and libzmq's threads add now and then is in it

All of it goes over TCP on the loopback interface. loop and zcap send two frames, 16 and 64 bytes, to
a SUB; lcm-logplayer (tcpq) the same two to a plain socket that acknowledges at once, which is the
shorter way: no thread lies between. (LCM's usual way, multicast, would leave the interface.)"""

import json
import pathlib
import shutil
import statistics
import struct
import sys

import timelines
from rig import HERE, free_endpoint

CONTENDERS = ["loop", "zcap", "lcm"]
ROUNDS, SECONDS = 3, 60
RATE, PAYLOAD_BYTES = 10_000, 64
GRACE_SECONDS = 60
P99_LIMIT, P99_OVER_LOOP = 100e-6, 20e-6
PERCENTILES = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
FIGURES = [*PERCENTILES, "max"]
# A log of LCM: sync word, number, microseconds, lengths of channel and data, both (big-endian).
LCM_EVENT, LCM_SYNC = struct.Struct(">IqqII"), 0xEDA1DA01
VENV = HERE.parent.parent / ".venv" / "bin"


class Trial:
    def __init__(self, rig, seconds, player):
        self.rig, self.player = rig, player
        self.capture = rig.folder / "lateness"
        self.times = timelines.record(
            rig, self.capture, timelines.poisson(RATE, seconds), PAYLOAD_BYTES)
        self.timeline = timelines.write(self.times, rig.folder / "recorded.times")
        self.arrivals = rig.folder / "arrivals.times"
        self.seconds = (self.times[-1] - self.times[0]) / 1e9
        if player:
            self.log = rig.folder / "lateness.lcm"
            write_log(self.log, self.times)

    def run(self, contender):
        """Its figures, in seconds, by how they are told."""
        self.arrivals.unlink(missing_ok=True)
        told = getattr(self, contender)()
        times = timelines.read(self.arrivals)
        behind = [came - due for came, due in zip(times, self.times)]
        earliest = min(behind)
        return {**told, "arriving": figures([each - earliest for each in behind])}

    def loop(self):
        endpoint = free_endpoint()
        lateness = self.rig.folder / "loop.times"
        receiver = self.receive(endpoint)
        sender = self.rig.start(
            self.rig.folder / "pacer", endpoint, self.timeline, PAYLOAD_BYTES, lateness)
        self.rig.finish(sender)
        self.count(receiver)
        return {"leaving": figures(timelines.read(lateness))}

    def zcap(self):
        endpoint = free_endpoint()
        receiver = self.receive(endpoint)
        replay = self.rig.start(
            self.rig.zcap, "replay", self.capture, "--bind", endpoint, "--rate", 1,
            "--wait-subscribers", 1, "--wait-timeout", "60s", "--json")
        summary = json.loads(self.rig.finish(replay).splitlines()[-1])
        self.count(receiver)
        names = {name: f"lateness_{name}_s" for name in FIGURES}
        leaving = {name: summary[field] for name, field in names.items() if field in summary}
        return {"leaving": leaving, "summary": summary}

    def lcm(self):
        address = free_endpoint().removeprefix("tcp://")
        receiver = self.receive(f"lcm://{address}")
        receiver.stdout.readline()  # it is ready
        player = self.rig.start(self.player, "-l", f"tcpq://{address}", self.log)
        self.count(receiver)
        self.rig.finish(player)
        return {}

    def receive(self, endpoint):
        return self.rig.start(
            self.rig.folder / "arrivals", endpoint, len(self.times),
            int(self.seconds) + GRACE_SECONDS, self.arrivals)

    def count(self, receiver):
        received = int(self.rig.finish(receiver))
        if received != len(self.times):
            sys.exit(f"bench: {received} of {len(self.times)} messages arrived")


def figures(nanoseconds):
    ordered = sorted(nanoseconds)
    result = {
        name: ordered[int(part * (len(ordered) - 1))] / 1e9 for name, part in PERCENTILES.items()}
    return {**result, "max": ordered[-1] / 1e9}


def write_log(path, times):
    channel, data = b"topic/0000000000", bytes(PAYLOAD_BYTES)
    with path.open("wb") as file:
        for number, time in enumerate(times):
            file.write(LCM_EVENT.pack(LCM_SYNC, number, time // 1000, len(channel), len(data)))
            file.write(channel + data)


def find_player():
    return shutil.which("lcm-logplayer") or shutil.which("lcm-logplayer", path=VENV)


def measure(rig, arguments):
    seconds = arguments.seconds or (5 if arguments.quick else SECONDS)
    rounds = arguments.rounds or (1 if arguments.quick else ROUNDS)
    player = find_player()
    contenders = [name for name in CONTENDERS if name != "lcm" or player]
    trial = Trial(rig, seconds, player)
    runs = {contender: [] for contender in contenders}
    for number in range(rounds):
        turn = number % len(contenders)
        for contender in contenders[turn:] + contenders[:turn]:
            runs[contender].append(trial.run(contender))
    medians = {contender: summarize(runs[contender]) for contender in contenders}
    print_table(medians)
    if not player:
        print("lcm-logplayer is not installed: `pip install lcm`, or Debian's liblcm-bin")
    return {
        "seconds": seconds, "messages": len(trial.times), "rounds": rounds,
        "targets": targets(medians), "medians": medians, "runs": runs}


def summarize(runs):
    return {
        how: {
            name: statistics.median(run[how][name] for run in runs)
            for name in FIGURES if all(name in run[how] for run in runs)}
        for how in ["leaving", "arriving"] if how in runs[0]}


def print_table(medians):
    print(f"{'us':16}", *(f"{name:>10}" for name in ["p50", "p99", "p99.9", "max"]))
    for how in ["leaving", "arriving"]:
        for contender, told in medians.items():
            if how in told:
                cells = [
                    f"{1e6 * told[how][name]:.1f}" if name in told[how] else "not told"
                    for name in FIGURES]
                print(f"{how:10}{contender:6}", *(f"{cell:>10}" for cell in cells))


def targets(medians):
    zcap, loop = medians["zcap"]["leaving"].get("p99"), medians["loop"]["leaving"]["p99"]
    limits = [
        ("leaving, zcap: p99", P99_LIMIT, zcap),
        ("leaving, zcap: p99 less the loop's", P99_OVER_LOOP, zcap and zcap - loop)]
    return [
        {
            "what": what, "asked": f"<= {1e6 * limit:.0f} us",
            "measured": "not told" if value is None else f"{1e6 * value:.1f} us",
            "reached": value is not None and value <= limit}
        for what, limit, value in limits]
