"""What recording takes over time: how soon it begins, how much memory it holds, how often it writes.

    start    from starting `zcap record` to its subscription being at the publisher, 20 times
    memory   ten minutes at full rate into a ring: the memory that is no file, once a second
    slow     ten minutes of 1 MB/s: bytes that reach the disk over bytes of the frames, on a file
             system of its own (a loop device; for root)

Exits with 3 where a limit is missed: 50 ms, 64 MiB and no growth of more than 4 MiB from the second
minute to the last, 1.1."""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import threading
import time

import zmq

from rig import Rig, free_endpoint, save

STARTS = 20
START_LIMIT = 0.050
MEMORY_LIMIT, GROWTH_LIMIT = 64 << 20, 4 << 20
WRITE_LIMIT = 1.1
SLOW_BYTES_PER_SECOND = 1_000_000


@contextlib.contextmanager
def publisher(endpoint):
    socket = zmq.Context.instance().socket(zmq.XPUB)
    socket.set(zmq.LINGER, 0)
    socket.set(zmq.RCVTIMEO, 30_000)
    socket.bind(endpoint)
    yield socket
    socket.close()


def stop(rig, recorder):
    recorder.send_signal(signal.SIGINT)
    return json.loads(rig.finish(recorder).splitlines()[-1])


def start(rig, minutes):
    seconds = []
    for number in range(STARTS):
        endpoint = free_endpoint()
        with publisher(endpoint) as socket:
            begun = time.monotonic()
            recorder = rig.start(
                rig.zcap, "record", endpoint, "-o", rig.folder / f"start{number}", "--json")
            socket.recv()
            seconds.append(time.monotonic() - begun)
            stop(rig, recorder)
    median = statistics.median(seconds)
    print(f"start: subscribed after {1000 * median:.1f} ms (median), {1000 * max(seconds):.1f} ms (max)")
    return {"seconds": seconds, "reached": median <= START_LIMIT}


def sample_memory(pid, samples):
    """Bytes of memory that is no file, once a second, until the process ends."""
    status = pathlib.Path(f"/proc/{pid}/status")
    with contextlib.suppress(OSError):
        while True:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
            if "RssAnon" not in fields:
                return
            samples.append(int(fields["RssAnon"].split()[0]) << 10)
            time.sleep(1)


def memory(rig, minutes):
    endpoint = free_endpoint()
    flood = rig.publish(endpoint, 10**12, 1024, 4)
    recorder = rig.start(
        rig.zcap, "record", endpoint, "-o", rig.folder / "memory", "--keep", "1GiB",
        "--duration", f"{minutes}m", "--json")
    samples = []
    sampler = threading.Thread(target=sample_memory, args=(recorder.pid, samples), daemon=True)
    sampler.start()
    output, _ = recorder.communicate(timeout=60 * minutes + 60)
    rig.children.remove(recorder)
    summary = json.loads(output.splitlines()[-1])
    flood.kill()
    flood.wait()
    rig.children.remove(flood)
    early = max(samples[60:120] or samples)
    late = max(samples[-60:])
    print(
        f"memory: {max(samples) >> 20} MiB at most, {early >> 20} MiB in the second minute,"
        f" {late >> 20} MiB in the last; {summary['messages']} messages in {minutes} minutes")
    return {
        "bytes": samples, "messages": summary["messages"],
        "reached": max(samples) <= MEMORY_LIMIT and late - early <= GROWTH_LIMIT}


@contextlib.contextmanager
def disk(folder, size):
    """A file system of its own: its folder, and a function that tells the bytes written to it."""
    image, mount = folder / "disk.image", folder / "disk"
    mount.mkdir()
    with open(image, "wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image], check=True)
    device = subprocess.run(
        ["losetup", "--find", "--show", image], check=True, capture_output=True,
        text=True).stdout.strip()
    statistics = pathlib.Path("/sys/block") / pathlib.Path(device).name / "stat"
    try:
        subprocess.run(["mount", device, mount], check=True)
        yield mount, lambda: int(statistics.read_text().split()[6]) * 512
    finally:
        subprocess.run(["umount", mount])
        subprocess.run(["losetup", "--detach", device])


def slow(rig, minutes):
    if os.geteuid() != 0:
        sys.exit("bench: slow mounts a loop device; run it as root, or leave it out with --only")
    endpoint = free_endpoint()
    payload = bytes(1000 - 16)
    with disk(rig.folder, 4 << 30) as (folder, written), publisher(endpoint) as socket:
        os.sync()
        recorder = rig.start(
            rig.zcap, "record", endpoint, "-o", folder / "slow", "--min-free", "0", "--json")
        socket.recv()
        before = written()
        begun = time.monotonic()
        sent = 0
        while (elapsed := time.monotonic() - begun) < 60 * minutes:
            while sent * 1000 < elapsed * SLOW_BYTES_PER_SECOND:
                socket.send_multipart([b"topic/%010d" % (sent % 4), payload])
                sent += 1
            time.sleep(0.001)
        # What is on its way when a recording is stopped is not part of it.
        time.sleep(1)
        summary = stop(rig, recorder)
        os.sync()
        ratio = (written() - before) / summary["bytes"]
    print(
        f"slow: {ratio:.3f} bytes written for each byte of frames, {summary['bytes'] >> 20} MiB"
        f" in {minutes} minutes")
    if summary["messages"] != sent:
        sys.exit(f"bench: recorded {summary}, {sent} messages were sent")
    return {"written_over_frames": round(ratio, 3), "reached": ratio <= WRITE_LIMIT}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["start", "memory", "slow"])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--save", action="store_true")
    arguments = parser.parse_args()
    results = {}
    with Rig(room=8 << 30, in_memory=False) as rig:
        for name, run in {"start": start, "memory": memory, "slow": slow}.items():
            if arguments.only in (None, name):
                results[name] = run(rig, arguments.minutes)
    if arguments.save:
        save("endure", {"minutes": arguments.minutes, "results": results})
    if not all(result["reached"] for result in results.values()):
        sys.exit(3)


main()
