"""How fast `zcap cat --json` shows MessagePack, beside Python that does the same.

A capture of messages whose payload is a map of 1 KiB: names, numbers, text, a list. zcap on one core
writes them as JSON lines to /dev/null; so does Python: it reads the same segments, decodes each
payload with msgpack's C extension and writes it with json.dumps. One after the other, in an order that
turns with each round; the median counts. Asked for: 200,000 messages/s, and more than Python."""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import msgpack
import zmq

import rig

ZCAP = os.environ["ZCAP_BINARY"]
ASKED = 200_000
READER = """
import json, msgpack, mmap, pathlib, struct, sys
sys.path.insert(0, sys.argv[2])
from capture_reader import records
out = open("/dev/null", "w")
count = 0
for path in sorted(pathlib.Path(sys.argv[1]).glob("segments/*.zseg")):
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as segment:
        for offset, moment, _, endpoint in records(segment):
            first, size, second, length = struct.unpack_from("<4I", segment, offset + 32)
            topic = segment[offset + first:offset + first + size].decode()
            value = msgpack.unpackb(segment[offset + second:offset + second + length])
            out.write(json.dumps({"sequence": count, "time_ns": moment, "endpoint": endpoint,
                                  "topic": topic, "frames": [topic, value]}) + "\\n")
            count += 1
print(count)
"""


def payload(number):
    """About 1 KiB."""
    value = {
        "sequence": number, "time": 1.5e9 + number / 1000, "name": f"sensor/{number % 64}",
        "values": [number * 0.001 + index for index in range(40)],
        "flags": [True, False, None], "text": "temperature within its limits, no action; " * 13,
        "counts": list(range(number % 1000, number % 1000 + 40)),
    }
    return msgpack.packb(value)


def record(capture, count):
    context = zmq.Context()
    publisher = context.socket(zmq.XPUB)
    publisher.setsockopt(zmq.XPUB_NODROP, 1)
    port = publisher.bind_to_random_port("tcp://127.0.0.1")
    recorder = subprocess.Popen(
        [ZCAP, "record", f"tcp://127.0.0.1:{port}", "-o", capture, "--count", str(count),
         "--duration", "120s"], stderr=subprocess.DEVNULL)
    publisher.recv()
    for number in range(count):
        publisher.send_multipart([b"sensor", payload(number)])
    if recorder.wait(timeout=120) != 0:
        sys.exit("zcap record failed")
    context.destroy(linger=0)


def seconds(command):
    begun = time.monotonic()
    with open("/dev/null", "w") as sink:
        subprocess.run(["taskset", "-c", "1", *command], stdout=sink, check=True)
    return time.monotonic() - begun


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    count = options.messages // 10 if options.quick else options.messages
    with tempfile.TemporaryDirectory() as folder:
        capture = pathlib.Path(folder) / "capture"
        record(capture, count)
        scripts = pathlib.Path(__file__).resolve().parent.parent
        commands = {
            "zcap": [ZCAP, "cat", str(capture), "--json"],
            "python": [sys.executable, "-c", READER, str(capture), str(scripts)],
        }
        rates = {name: [] for name in commands}
        for round_ in range(options.rounds):
            names = list(commands)
            for name in names if round_ % 2 == 0 else reversed(names):
                rates[name].append(count / seconds(commands[name]))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    size = len(payload(1000))
    print(f"{count} messages, MessagePack of {size} bytes, on one core")
    for name, values in rates.items():
        print(f"  {name:7} {medians[name]:10,.0f}/s   ({min(values):,.0f} to {max(values):,.0f})")
    ratio = medians["zcap"] / medians["python"]
    print(f"  zcap / python {ratio:.2f}")
    if options.save:
        rig.save("cat", {
            "messages": count, "payload_bytes": size, "rounds": options.rounds,
            "messages_per_second": {name: round(value) for name, value in medians.items()},
        })
    if options.check and (medians["zcap"] < ASKED or ratio <= 1):
        sys.exit(3)


if __name__ == "__main__":
    main()
