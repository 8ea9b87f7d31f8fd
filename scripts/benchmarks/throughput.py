"""Messages a second through zcap, against a program in C that throws everything away.

Recording: the same publisher sends the same messages of two frames (16 bytes and a payload) over
TCP on the loopback interface to `zcap record` and to subscriber.c, in turn, five times each. Both
are timed from the first to the last message received; zcap's times are those of its records. The
ratio of the medians counts: absolute figures depend on what else the machine does.

Replaying: `zcap replay --rate max` of the recorded capture to subscriber.c, against publisher.c to
the same. It only informs: no figure makes it fail."""

import json
import shutil
import statistics
import subprocess

from rig import TIMEOUT, Rig, free_endpoint, options, save

RUNS = 5
BYTES = {64: 64 << 20, 1 << 10: 512 << 20, 16 << 10: 1 << 30, 256 << 10: 2 << 30}


def publish_rate(rig, messages, size):
    """From publisher.c to subscriber.c."""
    endpoint = free_endpoint()
    subscriber = rig.subscribe(endpoint, messages)
    publisher = rig.publish(endpoint, messages, size)
    received = rig.finish(subscriber)
    rig.finish(publisher)
    return rate(received)


def record_rate(rig, capture, messages, size):
    rig.record(capture, messages, size)
    listing = subprocess.run(
        [rig.zcap, "ls", "--json"], env={"ZCAP_STORE": str(capture.parent)}, check=True,
        capture_output=True, timeout=TIMEOUT).stdout
    return messages / json.loads(listing)["duration_s"]


def rate(line):
    messages, _, seconds = line.split()
    return int(messages) / float(seconds)


def main():
    arguments = options(__doc__)
    results = []
    print(
        f"{'payload':>8}{'messages':>10}{'null/s':>11}{'record/s':>11}{'ratio':>7}"
        f"{'replay/s':>11}{'ratio':>7}")
    with Rig(room=4 << 30, in_memory=False) as rig:
        capture = rig.folder / "store" / "capture"
        for size, total in BYTES.items():
            messages = total // size // (10 if arguments.quick else 1)
            rates = {"null": [], "record": [], "replay": []}
            for _ in range(RUNS):
                shutil.rmtree(capture, ignore_errors=True)
                rates["null"].append(publish_rate(rig, messages, size))
                rates["record"].append(record_rate(rig, capture, messages, size))
                rates["replay"].append(rate(rig.replay(capture, 1, messages)))
            medians = {job: statistics.median(rates[job]) for job in rates}
            ratios = {job: medians[job] / medians["null"] for job in ["record", "replay"]}
            print(
                f"{size:8}{messages:10}{medians['null']:11.0f}{medians['record']:11.0f}"
                f"{ratios['record']:7.2f}{medians['replay']:11.0f}{ratios['replay']:7.2f}",
                flush=True)
            results.append({
                "payload_bytes": size, "messages": messages,
                "record_ratio": round(ratios["record"], 3),
                "replay_ratio": round(ratios["replay"], 3),
                "messages_per_second": {
                    job: [round(each) for each in rates[job]] for job in rates}})
    if arguments.save:
        save("throughput", {"results": results})


main()
