"""How fast zcap records: a ratio to libzmq itself.

One publisher (publisher.c) sends messages of two frames, 16 bytes and a payload, and waits rather
than drop. They are received by

    null       a C program that throws everything away: the limit
    memory     the same, copying each frame into memory that was written to before
    cold       zcap record, the first pass over fresh segments
    reclaimed  the same, five seconds after the machine's memory was last in use
    ring       zcap record --keep, in segments that it has used before
    mcap       a Python subscriber that writes MCAP with the official library
    sqlite     the same with a SQLite row a message

one after the other, in an order that turns with each round; what counts is the median of the ratios
of a round. All are timed from the first to the last message: by themselves, zcap by the times of
its records. A ring is timed over what it keeps in the end, when it has gone around before, and held
against as much of the null receiver's end. A message that is lost anywhere ends the benchmark.

The host of a virtual machine may take back memory that is free: the first to write to it then waits
for the host, ten times as long as for the page itself. So before each that writes files, but for
`reclaimed`, much more memory than it needs is brought back (which pages the kernel gives out first
is its own affair); on a machine of its own both are the same.

With 8 endpoints there are eight publishing sockets, in turn, and one receiver.
"""

import argparse
import datetime
import json
import mmap
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import threading
import time

from chart import write_chart
from rig import HERE, RESULTS, TIMEOUT, Rig, free_endpoint, revision, save

RESULT = RESULTS / "record.json"
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
# Payload: bytes of a ring.
RINGS = {64: GIB, KIB: GIB, 16 * KIB: GIB, 256 * KIB: 2 * GIB, 4 * MIB: 2 * GIB}
# How often a ring goes around: at 1 KiB it takes three seconds to come to its pace, and libzmq two.
LAPS = 5
CONTENDERS = ["null", "memory", "cold", "reclaimed", "ring", "mcap", "sqlite"]
# Over ipc and with 8 endpoints fewer of them, and fewer rounds: the whole takes hours.
CONTENDERS_ELSEWHERE = ["null", "cold", "ring", "mcap"]
ROUNDS, ROUNDS_ELSEWHERE = 7, 3
RECLAIM_SECONDS = 5
MEMORY = 6 * GIB
# Ratios to null of ring and cold, and how many times as fast as mcap: tcp, 1 endpoint.
TARGETS = {
    64: (0.95, 0.80, 15), KIB: (0.95, 0.80, 6), 16 * KIB: (0.95, 0.85, 3),
    256 * KIB: (0.75, 0.50, 5), 4 * MIB: (0.60, 0.25, 4),
}


class Traffic:
    """What is sent, over what."""

    def __init__(self, size, endpoints, transport, part):
        self.size, self.endpoints, self.transport = size, endpoints, transport
        self.ring = int(RINGS[size] * part)
        # A record is 80 to 144 bytes larger than its payload.
        self.lap = self.ring // (size + 128)
        self.messages = max(100, LAPS * self.lap)
        self.cold_messages = max(100, self.lap)
        self.slow_messages = max(50, self.lap // 5)


def bring_memory(size):
    """Has the machine get memory from its host, if it has one, and leaves it free."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    mmap.mmap(-1, size, flags=flags).close()


class Trial:
    """One contender receiving one traffic."""

    def __init__(self, rig, traffic):
        self.rig, self.traffic = rig, traffic
        self.folder = rig.folder / "trial"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.endpoints = [
            free_endpoint() if traffic.transport == "tcp" else f"ipc://{self.folder}/{number}"
            for number in range(traffic.endpoints)]

    def run(self, contender):
        if contender == "reclaimed":
            time.sleep(RECLAIM_SECONDS)
            return self.cold()
        if contender not in ["null", "memory"]:
            # New segments take new pages all the time, the others soon have theirs.
            bring_memory(MEMORY if contender == "cold" else 2 * self.traffic.ring)
        return getattr(self, contender)()

    def null(self):
        skip = self.traffic.messages * (LAPS - 1) // LAPS
        all_of_it = self.receive(self.traffic.messages, 0)
        return {"rate": all_of_it, "end_rate": self.receive(self.traffic.messages, skip)}

    def memory(self):
        return {"rate": self.receive(self.traffic.messages, 0, 256 * MIB)}

    def receive(self, messages, *options):
        receiver = self.rig.start(
            self.rig.folder / "subscriber", ",".join(self.endpoints), messages, *options)
        return self.publish_to(receiver, messages)

    def mcap(self):
        return self.write_with("mcap")

    def sqlite(self):
        return self.write_with("sqlite")

    def write_with(self, kind):
        messages = self.traffic.slow_messages
        receiver = self.rig.start(
            sys.executable, HERE / "python_recorder.py", kind, self.folder / "file", messages,
            *self.endpoints)
        return {"rate": self.publish_to(receiver, messages)}

    def publish_to(self, receiver, messages):
        """The rate that the receiver prints."""
        publisher = self.rig.publish(",".join(self.endpoints), messages, self.traffic.size, 4)
        received, _, seconds = self.rig.finish(receiver).split()
        self.rig.finish(publisher)
        return int(received) / float(seconds)

    def cold(self):
        result = self.record(self.traffic.cold_messages)
        result["space"] = self.space() / result.pop("bytes")
        return result

    def ring(self):
        return self.record(self.traffic.messages, "--keep", f"{self.traffic.ring}B")

    def record(self, messages, *options):
        capture = self.folder / "store" / "capture"
        publisher = self.rig.publish(",".join(self.endpoints), messages, self.traffic.size, 4)
        recorder = self.rig.start(
            self.rig.zcap, "record", *self.endpoints, "-o", capture, "--count", messages, "--json",
            *options)
        clock = ThreadClock(recorder.pid)
        summary = json.loads(self.rig.finish(recorder).splitlines()[-1])
        self.rig.finish(publisher)
        if summary["messages"] != messages or not summary["complete"]:
            sys.exit(f"bench: recorded {summary}, {messages} messages were sent")
        kept = self.kept(capture)
        if kept["lost"] or (not options and kept["messages"] != messages):
            sys.exit(f"bench: the capture is {kept}, {messages} messages were sent")
        return {
            "rate": kept["messages"] / kept["duration_s"],
            "kept": kept["messages"],
            "bytes": kept["bytes"],
            "roll_us_median": summary["roll_us_median"],
            "roll_us_max": summary["roll_us_max"],
            "cpu_s": clock.finish(),
        }

    def kept(self, capture):
        listing = subprocess.run(
            [self.rig.zcap, "ls", "--json"], env={"ZCAP_STORE": str(capture.parent)}, check=True,
            capture_output=True, timeout=TIMEOUT).stdout
        return json.loads(listing)

    def space(self):
        """Bytes on disk of the capture, index included."""
        files = (self.folder / "store" / "capture").rglob("*")
        return sum(file.stat().st_blocks * 512 for file in files if file.is_file())


class ThreadClock:
    """The CPU time of each thread of a process by its name, as last seen before it ends."""

    # To look more often takes CPU time from what is measured, and none from the null receiver.
    INTERVAL = 0.25

    def __init__(self, pid):
        self.tasks = pathlib.Path(f"/proc/{pid}/task")
        self.seconds = {}
        self.is_done = False
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        while not self.is_done:
            try:
                for task in self.tasks.iterdir():
                    name, fields = (task / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
                    ticks = sum(int(field) for field in fields.split()[11:13])
                    self.seconds[task.name, name] = ticks / os.sysconf("SC_CLK_TCK")
            except OSError:
                pass
            time.sleep(self.INTERVAL)

    def finish(self):
        self.is_done = True
        self.thread.join()
        by_name = {}
        for (_, name), seconds in self.seconds.items():
            by_name[name] = round(by_name.get(name, 0) + seconds, 2)
        return by_name


def measure(rig, traffic, contenders, rounds):
    """All that each contender gave, a round after the other."""
    results = {contender: [] for contender in contenders}
    for number in range(rounds):
        turn = number % len(contenders)
        for contender in contenders[turn:] + contenders[:turn]:
            results[contender].append(Trial(rig, traffic).run(contender))
    return results


def summarize(traffic, results):
    """Medians, and the spread of the ratios to the null receiver of the same round."""
    summary = {
        "payload_bytes": traffic.size, "endpoints": traffic.endpoints,
        "transport": traffic.transport, "contenders": {}}
    null = results["null"]
    for contender, runs in results.items():
        limit = "end_rate" if contender == "ring" else "rate"
        ratios = [run["rate"] / other[limit] for run, other in zip(runs, null)]
        summary["contenders"][contender] = {
            "messages_per_second": round(statistics.median(run["rate"] for run in runs)),
            "ratio": round(statistics.median(ratios), 3),
            "ratio_min": round(min(ratios), 3),
            "ratio_max": round(max(ratios), 3),
            "runs": runs,
            "date": datetime.date.today().isoformat(),
            "revision": revision(),
        }
    return summary


def merge(summaries):
    """The results that are saved, those of the same traffic and contender replaced: the whole takes
    hours, and each result carries its date."""
    saved = json.loads(RESULT.read_text())["results"] if RESULT.exists() else []
    def key(summary):
        return summary["transport"], summary["endpoints"], summary["payload_bytes"]
    merged = {key(summary): summary for summary in saved}
    for summary in summaries:
        known = merged.setdefault(key(summary), {**summary, "contenders": {}})
        known["contenders"].update(summary["contenders"])
    order = ["tcp", "ipc"]
    return sorted(merged.values(), key=lambda each: (order.index(each["transport"]), *key(each)[1:]))


def size_text(size):
    return f"{size >> 20} MiB" if size >= MIB else f"{size >> 10} KiB" if size >= KIB else f"{size} B"


def print_title(contenders):
    print(f"{'':22}{'null':>11}", *(f"{name:>16}" for name in contenders[1:]))


def print_row(summary):
    contenders = summary["contenders"]
    where = f"{summary['transport']} x {summary['endpoints']}"
    cells = [f"{size_text(summary['payload_bytes']):>9}  {where:9}"]
    cells.append(f"{contenders['null']['messages_per_second']:>9}/s")
    for name, result in contenders.items():
        if name != "null":
            spread = f"({result['ratio_min']:.2f}-{result['ratio_max']:.2f})"
            cells.append(f"{result['ratio']:.2f} {spread}".rjust(16))
    print(*cells, flush=True)


def print_targets(summaries):
    """What was asked for, beside what was measured. Returns whether all of it was reached."""
    reached = True
    print("\nasked for, and measured (tcp x 1):")
    for summary in summaries:
        if (summary["transport"], summary["endpoints"]) != ("tcp", 1):
            continue
        found = summary["contenders"]
        ring, cold, mcap = TARGETS[summary["payload_bytes"]]
        cells = []
        for name, target in [("ring", ring), ("cold", cold)]:
            if name in found:
                cells.append((name, target, found[name]["ratio"]))
        for name in ["ring", "cold"]:
            if name in found and "mcap" in found:
                times = found[name]["messages_per_second"] / found["mcap"]["messages_per_second"]
                cells.append((f"{name} / mcap", mcap, round(times, 1)))
        for name, target, value in cells:
            mark = "ok" if value >= target else "MISSED"
            reached = reached and value >= target
            print(f"{size_text(summary['payload_bytes']):>9}  {name:11} {target:>5}  {value:>6}  {mark}")
    return reached


def print_costs(summaries):
    """What recording takes besides time: disk, CPU of the indexer, pauses."""
    print("\ncold: disk over frames' bytes, indexer's share of the CPU time, going on in a segment:")
    for summary in summaries:
        runs = summary["contenders"].get("cold", {}).get("runs", [])
        if not runs:
            continue
        share = statistics.median(
            run["cpu_s"].get("zcap indexer", 0) / max(sum(run["cpu_s"].values()), 0.01)
            for run in runs)
        space = statistics.median(run["space"] for run in runs)
        roll = statistics.median(run["roll_us_median"] for run in runs)
        print(
            f"{size_text(summary['payload_bytes']):>9}  +{100 * (space - 1):.1f} %"
            f"  {100 * share:.0f} %  median {roll:.0f} us,"
            f" max {max(run['roll_us_max'] for run in runs):.0f} us")


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, action="append", choices=RINGS)
    parser.add_argument("--endpoints", type=int, action="append", choices=[1, 8])
    parser.add_argument("--transport", action="append", choices=["tcp", "ipc"])
    parser.add_argument("--only", action="append", choices=CONTENDERS[1:])
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--check", action="store_true")
    return parser.parse_args()


def main():
    arguments = options()
    summaries = []
    with Rig(room=8 * GIB, in_memory=False) as rig:
        for transport in arguments.transport or ["tcp", "ipc"]:
            for endpoints in arguments.endpoints or [1, 8]:
                is_main = (transport, endpoints) == ("tcp", 1)
                rounds = arguments.rounds or (ROUNDS if is_main else ROUNDS_ELSEWHERE)
                contenders = CONTENDERS if is_main else CONTENDERS_ELSEWHERE
                if arguments.only:
                    contenders = ["null", *arguments.only]
                print_title(contenders)
                for size in arguments.size or RINGS:
                    traffic = Traffic(size, endpoints, transport, 0.1 if arguments.quick else 1)
                    summary = summarize(
                        traffic, measure(rig, traffic, contenders, 1 if arguments.quick else rounds))
                    print_row(summary)
                    summaries.append(summary)
    print_costs(summaries)
    reached = print_targets(summaries)
    if arguments.save:
        merged = merge(summaries)
        save("record", {"rounds": ROUNDS, "results": merged})
        write_chart(merged)
    if arguments.check and not reached:
        sys.exit(3)


main()
