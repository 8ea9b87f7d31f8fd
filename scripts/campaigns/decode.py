"""Does zcap show what the formats' own libraries wrote?

For each format, values are made at random and written by its library; the messages are recorded by
`zcap record` and shown by `zcap cat --json`. What it shows of each is held against what the library
says of the same value, under the mapping that JSON needs: NaN and the infinities are the words
"NaN", "Infinity", "-Infinity"; bytes are {"$bytes": base64}; keys that are no text are their JSON as
text. Formats with a JSON mapping of their own (Protocol Buffers, Cap'n Proto) have that."""

import argparse
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import zmq

import decode_arrays
import decode_dynamic
import decode_schemas

FORMATS = {
    "json": decode_dynamic.Json, "msgpack": decode_dynamic.MessagePack,
    "pickle": decode_dynamic.Pickle, "struct": decode_arrays.Structs,
    "numpy": decode_arrays.Arrays, "protobuf": decode_schemas.Protobuf,
    "capnp": decode_schemas.Capnp, "flatbuffers": decode_schemas.FlatBuffers,
}
ZCAP = os.environ["ZCAP_BINARY"]
SECONDS_MAX = 600
SHOWN = 5


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", action="append", choices=FORMATS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--count", type=int, default=10_000)
    return parser.parse_args()


def record(folder, messages):
    """Records messages of frames into a capture, all of them."""
    context = zmq.Context()
    publisher = context.socket(zmq.XPUB)
    publisher.setsockopt(zmq.XPUB_NODROP, 1)
    port = publisher.bind_to_random_port("tcp://127.0.0.1")
    capture = folder / "capture"
    recorder = subprocess.Popen(
        [ZCAP, "record", f"tcp://127.0.0.1:{port}", "-o", capture, "--count", str(len(messages)),
         "--duration", "60s"],
        stderr=subprocess.PIPE)
    publisher.recv()
    for frames in messages:
        publisher.send_multipart(frames)
    _, errors = recorder.communicate(timeout=SECONDS_MAX)
    context.destroy(linger=0)
    if recorder.returncode != 0:
        sys.exit(f"zcap record: {errors.decode()}")
    return capture


def shown(capture, rules):
    """What `zcap cat --json` says of the frames of each message, behind the first one."""
    with subprocess.Popen(
            [ZCAP, "cat", capture, "--json", *rules], stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            yield json.loads(line, parse_float=float)["frames"][1:]
    if process.returncode != 0:
        sys.exit(f"zcap cat ended with {process.returncode}")


def same(left, right):
    """Equal, and of the same kind: 1 is not true; floats to the last bit or so."""
    if isinstance(left, float) and isinstance(right, (float, int)) and not isinstance(right, bool):
        # `capnp convert` writes 2.0 as 2.
        return left == right or abs(left - right) <= 1e-15 * abs(right)
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


def prove(name, arguments):
    """Returns how many values differ."""
    chance = random.Random(f"{arguments.seed}/{name}")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subject = FORMATS[name](chance, folder)
        samples = [subject.sample() for _ in range(arguments.count)]
        begun = time.monotonic()
        capture = record(folder, [[b"t", *frames] for frames, _ in samples])
        expected = subject.expected([value for _, value in samples])
        differences = 0
        count = 0
        for (frames, _), wanted, found in zip(samples, expected, shown(capture, subject.rules)):
            count += 1
            values = [frame["value"] for frame in found]
            tags = [frame["codec"] for frame in found]
            errors = [frame["error"] for frame in found if "error" in frame]
            if not errors and same(values[-1], wanted) and subject.is_tagged(tags):
                continue
            differences += 1
            if differences <= SHOWN:
                print(f"{name}: {[frame.hex() for frame in frames]}\n  shown: {tags} {errors}"
                      f" {json.dumps(values[-1])[:500]}\n  wanted: {json.dumps(wanted)[:500]}")
        if count != len(samples):
            sys.exit(f"{name}: {count} of {len(samples)} messages were shown")
    print(f"{name}: {count} values, {differences} differences,"
          f" {time.monotonic() - begun:.1f} s")
    return differences


def main():
    arguments = options()
    sys.stdout.reconfigure(line_buffering=True)
    signal.alarm(SECONDS_MAX * len(FORMATS))
    print(f"seed {arguments.seed}")
    differences = [prove(name, arguments) for name in FORMATS if name in (arguments.only or FORMATS)]
    sys.exit(3 if any(differences) else 0)


if __name__ == "__main__":
    main()
