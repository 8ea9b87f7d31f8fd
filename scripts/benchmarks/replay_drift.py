"""How far the end of a replay is from where the timeline has it, after ten minutes in a loop.

A Poisson timeline of 100 messages a second for ten seconds is recorded once, and replayed in a loop
at rates 0.5, 1 and 7.3, as many times as fill ten minutes; the three at the same time, as each of
them mostly sleeps, but started seconds apart, so that their ends do not meet. The end is off by
what zcap's summary tells (`duration_s`: from the time of the first message to the last one sent)
beyond the recorded times over the rate, which are read from the segments by other code than zcap's.
Beside it: the same by a receiver's clock (arrivals.c), from the first to the last message that
came, which is less exact by what the way takes."""

import json
import sys
import time

import timelines
from rig import free_endpoint

RATES = [0.5, 1, 7.3]
SECONDS_APART = 2
SECONDS, GRACE_SECONDS = 600, 40
TIMELINE_SECONDS, MESSAGES_PER_SECOND, PAYLOAD_BYTES = 10, 100, 64
OFF_LIMIT = 0.001


class Replay:
    """One replay of a capture in a loop, and who receives it."""

    def __init__(self, rig, capture, times, rate, seconds):
        self.rig, self.rate = rig, rate
        span = (times[-1] - times[0]) / 1e9
        self.loops = max(2, round(seconds * rate / span))
        self.messages = self.loops * len(times)
        self.timeline = self.loops * span
        self.arrivals = rig.folder / f"drift-{rate}.times"
        limit = int(self.timeline / rate) + GRACE_SECONDS
        endpoint = free_endpoint()
        self.receiver = rig.start(
            rig.folder / "arrivals", endpoint, self.messages, limit, self.arrivals)
        self.replay = rig.start(
            rig.zcap, "replay", capture, "--bind", endpoint, "--rate", rate, "--loop", self.loops,
            "--wait-subscribers", 1, "--wait-timeout", "60s", "--json")

    def finish(self):
        summary = json.loads(self.rig.finish(self.replay).splitlines()[-1])
        received = int(self.rig.finish(self.receiver))
        if received != self.messages or summary["messages"] != self.messages:
            sys.exit(f"bench: {received} of {self.messages} messages arrived: {summary}")
        times = timelines.read(self.arrivals)
        due = self.timeline / self.rate
        return {
            "rate": self.rate, "loops": self.loops, "messages": self.messages, "due_s": due,
            "end_off_s": round(summary["duration_s"] - due, 9),
            "timeline_off_s": round(summary["timeline_s"] - self.timeline, 9),
            "arrivals_off_s": round((times[-1] - times[0]) / 1e9 - due, 9),
            "summary": summary,
        }


def measure(rig, arguments):
    seconds = arguments.drift_seconds or (20 if arguments.quick else SECONDS)
    capture = rig.folder / "drift"
    asked = timelines.poisson(MESSAGES_PER_SECOND, min(TIMELINE_SECONDS, seconds / 4))
    times = timelines.record(rig, capture, asked, PAYLOAD_BYTES)
    replays = []
    for rate in RATES:
        if replays:
            time.sleep(SECONDS_APART)
        replays.append(Replay(rig, capture, times, rate, seconds))
    results = [replay.finish() for replay in replays]
    print(f"{'rate':>6}{'loops':>8}{'due':>14}{'end off':>14}{'at receiver':>14}{'latest':>14}")
    for result in results:
        offs = [
            result["end_off_s"], result["arrivals_off_s"], result["summary"]["lateness_max_s"]]
        print(
            f"{result['rate']:>6}{result['loops']:>8}{result['due_s']:>12.6f} s",
            *(f"{1e6 * off:>11.1f} us" for off in offs), sep="")
    return {"seconds": seconds, "targets": list(targets(results)), "results": results}


def targets(results):
    for result in results:
        off = max(abs(result["end_off_s"]), abs(result["timeline_off_s"]))
        yield {
            "what": f"rate {result['rate']}: end off", "asked": f"<= {1e3 * OFF_LIMIT:.0f} ms",
            "measured": f"{1e3 * off:.3f} ms", "reached": off <= OFF_LIMIT}
