"""Whether listing a capture takes longer for more messages: it must not.

Two captures with 100 topics, one of 10,000 and one of 10,000,000 messages of two frames (16 and
8 bytes), each in a store of its own. `zcap ls CAPTURE --json` and `zcap ls --json` of the store run
for the one and the other in turn, 15 times each, in fresh processes; the ratio of the medians
counts, and must not be above 2. Both captures are in the page cache, as a capture is that was just
recorded; what the first look at one on a cold disk takes is not measured here."""

import statistics
import subprocess
import sys
import time

from rig import TIMEOUT, Rig, options, save

LIMIT = 2
RUNS = 15
TOPICS = 100
PAYLOAD = 8


def seconds_taken(command, environment, lines):
    """Runs a listing, which must have so many lines."""
    begun = time.perf_counter()
    listing = subprocess.run(
        command, env=environment, check=True, capture_output=True, timeout=TIMEOUT).stdout
    taken = time.perf_counter() - begun
    if len(listing.splitlines()) != lines:
        sys.exit(f"bench: {command} wrote {len(listing.splitlines())} lines, not {lines}")
    return taken


def main():
    arguments = options(__doc__)
    sizes = [10_000, 1_000_000 if arguments.quick else 10_000_000]
    results = []
    with Rig(room=3 << 30, in_memory=False) as rig:
        stores = {}
        for messages in sizes:
            stores[messages] = rig.folder / f"store-{messages}"
            rig.record(stores[messages] / "capture", messages, PAYLOAD, TOPICS)
            print(f"recorded {messages} messages", flush=True)
        listings = [
            ("capture", ["ls", "capture", "--json"], TOPICS), ("store", ["ls", "--json"], 1)]
        for name, command, lines in listings:
            times = {messages: [] for messages in sizes}
            for _ in range(1 + RUNS):
                for messages in sizes:
                    environment = {"ZCAP_STORE": str(stores[messages])}
                    times[messages].append(seconds_taken([rig.zcap, *command], environment, lines))
            medians = {messages: statistics.median(times[messages][1:]) for messages in sizes}
            ratio = medians[sizes[1]] / medians[sizes[0]]
            verdict = "ok" if ratio <= LIMIT else f"ABOVE {LIMIT}"
            listed = ", ".join(f"{n} messages {1000 * medians[n]:.1f} ms" for n in sizes)
            print(f"{name:8} {listed}, ratio {ratio:.2f}  {verdict}", flush=True)
            results.append({
                "listing": "zcap " + " ".join(command), "ratio": round(ratio, 3),
                "median_ms": {str(n): round(1000 * medians[n], 2) for n in sizes},
                "runs_ms": {str(n): [round(1000 * t, 2) for t in times[n][1:]] for n in sizes}})
    is_within = all(result["ratio"] <= LIMIT for result in results)
    if arguments.save:
        save("ls", {
            "limit_ratio": LIMIT, "topics": TOPICS, "is_within": is_within, "results": results})
    sys.exit(0 if is_within else 1)


main()
