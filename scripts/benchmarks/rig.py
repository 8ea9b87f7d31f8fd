"""What the benchmarks share: the programs they run, the folder they run in, the host, the results.

Everything runs on the loopback interface and ends by itself: each program has a timeout, and what
still runs when a benchmark ends is killed. The folder with the captures is removed."""

import argparse
import ctypes
import datetime
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
RESULTS = HERE.parent / "bench-results"
TIMEOUT = 660  # seconds; the programs in C give up after 600
MEMORY = pathlib.Path("/dev/shm")


class Rig:
    """A folder with the compiled programs and room for captures, to use in a `with` statement."""

    def __init__(self, room, in_memory, compiled=True):
        """`in_memory`: on a file system without a disk, when that has the room (in bytes);
        `compiled`: with the programs in C."""
        has_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 2 * room
        where = MEMORY if in_memory and has_memory else pathlib.Path(tempfile.gettempdir())
        free = shutil.disk_usage(where).free
        if free < room:
            sys.exit(f"bench: {where} has {free >> 20} MiB free, {room >> 20} are needed")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="zcap-bench-", dir=where))
        self.zcap = os.path.abspath(os.environ["ZCAP_BINARY"])
        self.children = []
        self.compiled = compiled

    def __enter__(self):
        if self.compiled:
            self.compile()
        return self

    def compile(self):
        compile = ["cc", "-O2", "-Wall", "-Wextra"]
        for name in ["arrivals", "pacer", "publisher", "sender", "subscriber"]:
            source = HERE / f"{name}.c"
            subprocess.run([*compile, "-o", self.folder / name, source, "-lzmq"], check=True)
        subprocess.run(
            [*compile, "-shared", "-fPIC", "-o", self.folder / "count_allocations.so",
             HERE / "count_allocations.c"], check=True)

    def __exit__(self, *_):
        for child in self.children:
            if child.poll() is None:
                child.kill()
                child.wait()
        shutil.rmtree(self.folder)

    def start(self, program, *arguments, environment={}):
        child = subprocess.Popen(
            [str(part) for part in [program, *arguments]], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
        self.children.append(child)
        return child

    def finish(self, child):
        """Waits for a program to succeed. Returns what it wrote to standard output."""
        output, errors = child.communicate(timeout=TIMEOUT)
        self.children.remove(child)
        if child.returncode != 0:
            sys.exit(f"bench: {child.args[0]} ended with {child.returncode}: {errors}")
        return output

    def publish(self, endpoint, messages, size, topics=1):
        return self.start(self.folder / "publisher", endpoint, messages, size, topics)

    def subscribe(self, endpoint, messages):
        return self.start(self.folder / "subscriber", endpoint, messages)

    def record(self, capture, messages, size, topics=1, environment={}, options=()):
        """Records a capture from a publisher, and makes sure that all of it is there."""
        endpoint = free_endpoint()
        publisher = self.publish(endpoint, messages, size, topics)
        self.record_from(publisher, endpoint, capture, messages, environment, options)

    def record_from(self, publisher, endpoint, capture, messages, environment={}, options=()):
        recorder = self.start(
            self.zcap, "record", endpoint, "-o", capture, "--count", messages, "--json",
            *options, environment=environment)
        summary = json.loads(self.finish(recorder).splitlines()[-1])
        self.finish(publisher)
        if summary["messages"] != messages or not summary["complete"]:
            sys.exit(f"bench: recorded {summary}, {messages} messages were sent")

    def replay(self, capture, loops, messages, environment={}):
        """Replays a capture, as fast as it goes, to a subscriber that counts. Returns its line."""
        endpoint = free_endpoint()
        subscriber = self.subscribe(endpoint, messages)
        replay = self.start(
            self.zcap, "replay", capture, "--bind", endpoint, "--rate", "max", "--loop", loops,
            "--wait-subscribers", 1, "--wait-timeout", "60s", "--json", environment=environment)
        summary = json.loads(self.finish(replay).splitlines()[-1])
        if summary["messages"] != messages:
            sys.exit(f"bench: replayed {summary}, {messages} messages were asked for")
        return self.finish(subscriber)


def warm(paths):
    """Brings files into memory."""
    buffer = bytearray(4 << 20)
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def free_endpoint():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def options(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--quick", action="store_true")
    return parser.parse_args()


def host():
    """What a result depends on besides zcap."""
    cpu = "unknown"
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
    numbers = [ctypes.c_int() for _ in range(3)]
    ctypes.CDLL("libzmq.so.5").zmq_version(*[ctypes.byref(number) for number in numbers])
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "kernel": os.uname().release,
        "congestion_control": pathlib.Path(
            "/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip(),
        "libzmq": ".".join(str(number.value) for number in numbers),
        "load_average": round(os.getloadavg()[0], 1),
    }


def revision():
    return subprocess.run(
        ["git", "-C", HERE, "describe", "--always", "--dirty", "--tags"], capture_output=True,
        text=True).stdout.strip() or "unknown"


def save(name, result):
    result = {
        "benchmark": name,
        "date": datetime.date.today().isoformat(),
        "revision": revision(),
        "host": host(),
        **result,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(f"saved scripts/bench-results/{name}.json")
