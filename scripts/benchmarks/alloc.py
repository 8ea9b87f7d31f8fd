"""Heap allocations per message, in the steady state, on the threads that every message goes
through: the recorder's, and the one that a replay sends from.

zcap runs with malloc and its kin replaced by functions that count by thread (count_allocations.c).
Each measurement is a pair of runs that differ by a known number of messages; the difference of
their counts is what those messages cost, and start and end cancel out. What libzmq allocates on
these threads counts as well. Messages have two frames: a topic of 16 bytes and a payload.

Recording: N messages against N + more, in as many pairs as give 1,000,000 messages with no capture
above 2 GiB. Replaying: a capture once against several times, so that the capture is the same."""

import json
import shutil
import sys

from rig import Rig, options, save

LIMIT = 0.01
STARTING = 1_000
CAPTURE_BYTES_MAX = 2 << 30
SIZES = [64, 65_536]
LIMITED = {"record": "zcap recorder", "replay": "main"}


def counts(path):
    """Allocations by name of the thread."""
    total = {}
    for thread in json.loads(path.read_text())["threads"]:
        total[thread["name"]] = total.get(thread["name"], 0) + thread["allocations"]
    return total


def add_difference(totals, more, less):
    for name in more.keys() | less.keys():
        totals[name] = totals.get(name, 0) + more.get(name, 0) - less.get(name, 0)


def counting(rig):
    """The environment that counts, and the file that the counts go to."""
    path = rig.folder / "counts.json"
    library = str(rig.folder / "count_allocations.so")
    return {"LD_PRELOAD": library, "COUNT_ALLOCATIONS_TO": str(path)}, path


def measure_recording(rig, size, messages):
    environment, path = counting(rig)
    capture = rig.folder / "recorded"
    totals, pairs = {}, 0
    left = messages
    while left > 0:
        more = min(left, CAPTURE_BYTES_MAX // (size + 128))
        counted = []
        for count in [STARTING, STARTING + more]:
            rig.record(capture, count, size, environment=environment)
            shutil.rmtree(capture)
            counted.append(counts(path))
        add_difference(totals, counted[1], counted[0])
        left -= more
        pairs += 1
    how = f"{pairs} pair(s) of runs"
    return totals, how


def measure_replay(rig, size, messages):
    environment, path = counting(rig)
    capture = rig.folder / "replayed"
    loops = 1
    while messages // loops * (size + 128) > CAPTURE_BYTES_MAX or messages % loops:
        loops += 1
    recorded = messages // loops
    rig.record(capture, recorded, size)
    counted = []
    for times in [1, 1 + loops]:
        rig.replay(capture, times, recorded * times, environment=environment)
        counted.append(counts(path))
    shutil.rmtree(capture)
    totals = {}
    add_difference(totals, counted[1], counted[0])
    how = f"{recorded} recorded messages, once and {1 + loops} times"
    return totals, how


def main():
    arguments = options(__doc__)
    messages = 50_000 if arguments.quick else 1_000_000
    results = []
    is_within = True
    print(f"{'':8}{'payload':>8}  {'thread':16}{'messages':>10}{'allocations':>13}{'each':>9}")
    with Rig(room=3 << 30, in_memory=True) as rig:
        for job, measure in [("record", measure_recording), ("replay", measure_replay)]:
            for size in SIZES:
                totals, how = measure(rig, size, messages)
                threads = []
                for name in sorted(totals, key=lambda name: name != LIMITED[job]):
                    each = totals[name] / messages
                    is_limited = name == LIMITED[job]
                    verdict = ""
                    if is_limited:
                        verdict = "ok" if each < LIMIT else f"NOT BELOW {LIMIT}"
                        is_within = is_within and each < LIMIT
                    print(
                        f"{job:8}{size:8}  {name:16}{messages:10}{totals[name]:13}{each:9.4f}"
                        f"  {verdict}", flush=True)
                    threads.append({
                        "thread": name, "allocations": totals[name],
                        "per_message": round(each, 6), "is_limited": is_limited})
                results.append({
                    "job": job, "payload_bytes": size, "frames": 2, "messages": messages,
                    "counted_over": how, "threads": threads})
    if arguments.save:
        save("alloc", {"limit_per_message": LIMIT, "is_within": is_within, "results": results})
    sys.exit(0 if is_within else 1)


main()
