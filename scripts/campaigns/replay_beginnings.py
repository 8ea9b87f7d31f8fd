"""Whoever a replay waits for gets all of it, from the first message to the last, each byte of it.

Each run starts a replay that waits for one to four subscribers, who come at random moments: before
it is there, together, or one after the other; some connect a while before they subscribe. In some
runs others are there who do not count: one that never subscribes, one that has gone again. Socket
type, transport, pace, capture and the length of the queues are random. A capture has messages of
1 to 200 frames, up to 1 MiB long; one has a single message, which is the first and the last."""

import pathlib
import sys
import time
from dataclasses import dataclass

import traffic
import zmq

from player import Broken, Listener, Replay, fault, subscriber
from rig import free_endpoint

PUBLISHER = pathlib.Path(traffic.__file__).with_name("publish.py")
RUNS, RUNS_QUICK = 200, 12
CAPTURES = [1, 300, 3000]
PEERS = {"pub": zmq.SUB, "push": zmq.PULL, "dealer": zmq.DEALER}
# Seconds.
ARRIVAL_MAX, SUBSCRIPTION_MAX, VISIT = 0.25, 0.05, 0.3
RUN_MAX = 15


def room(arguments):
    return 1 << 30


def runs(arguments):
    return arguments.runs or (RUNS_QUICK if arguments.quick else RUNS)


def seconds_max(arguments):
    return 60 + RUN_MAX * runs(arguments)


@dataclass
class Made:
    """A capture and what is in it."""
    path: object
    messages: list


def make(rig, seed, count):
    endpoint = free_endpoint()
    path = rig.folder / f"of-{count}"
    publisher = rig.start(sys.executable, PUBLISHER, seed, count, endpoint)
    rig.record_from(publisher, endpoint, path, count)
    return Made(path, list(traffic.messages(str(seed), 0, count)))


def run(rig, arguments, chance):
    captures = [make(rig, chance.randrange(1 << 32), count) for count in CAPTURES]
    messages = subscribers = 0
    for number in range(runs(arguments)):
        trial = Trial(rig, chance, captures, number)
        trial.run()
        messages += trial.subscribers * len(trial.made.messages)
        subscribers += trial.subscribers
    print(
        f"beginnings: {runs(arguments)} runs, {subscribers} subscribers got {messages} messages:"
        " 0 missing, doubled or reordered")


class Trial:
    """One replay, and all about it that chance decides."""

    def __init__(self, rig, chance, captures, number):
        self.rig, self.chance, self.number = rig, chance, number
        self.kind = chance.choice(["pub", "pub", "pub", "pub", "push", "dealer"])
        self.subscribers = chance.randint(1, 4) if self.kind == "pub" else 1
        self.made = chance.choice(captures)
        self.transport = chance.choice(["tcp", "ipc"])
        self.endpoint = (
            free_endpoint() if self.transport == "tcp" else f"ipc://{rig.folder}/run{number}")
        self.pace = self.choose_pace()
        self.others = self.choose_others()

    def choose_pace(self):
        return self.chance.choice([
            ["--rate", "max"], ["--rate", "max"],
            ["--rate", self.chance.uniform(0.2, 20)],
            ["--msgs-per-second", self.chance.uniform(3_000, 200_000)],
            ["--bytes-per-second", self.chance.randint(10, 500) * 1_000_000]])

    def choose_others(self):
        """Who is there besides; a visitor counts while it is there, so it must not be enough."""
        if self.kind != "pub" or self.chance.random() < 0.6:
            return None
        return self.chance.choice(["mute", "visitor" if self.subscribers > 1 else "mute"])

    def __str__(self):
        others = f", and a {self.others}" if self.others else ""
        return (
            f"run {self.number} ({self.kind} over {self.transport}, {self.subscribers}"
            f" subscribers{others}, {len(self.made.messages)} messages,"
            f" {' '.join(map(str, self.pace))})")

    def run(self):
        replay = Replay(
            self.rig, self.made.path, self.endpoint, self.subscribers, "--type", self.kind,
            *self.pace)
        mute = self.peer() if self.others == "mute" else None
        earliest = VISIT if self.others == "visitor" else 0
        listeners = [Listener(self.arrival(earliest)) for _ in range(self.subscribers)]
        if self.others == "visitor":
            self.visit()
        try:
            replay.end_well(len(self.made.messages))
        except Broken as broken:
            raise Broken(f"{self}: {broken}") from None
        for listener in listeners:
            listener.is_over.set()
        for listener in listeners:
            found = fault(listener.finish(), self.made.messages)
            if found:
                raise Broken(f"{self}: {found}")
        if mute:
            mute.close(0)

    def arrival(self, earliest):
        """What a subscriber does when it comes."""
        before = earliest + self.chance.uniform(0, ARRIVAL_MAX)
        between = self.chance.choice([0, self.chance.uniform(0, SUBSCRIPTION_MAX)])
        # libzmq forgets what an ipc peer sent last when queues are full.
        queue = 0 if self.transport == "ipc" else self.chance.choice([0, 10, 1000])

        def arrive():
            time.sleep(before)
            socket = self.peer(queue)
            time.sleep(between)
            if self.kind == "pub":
                socket.subscribe(b"")
            return socket

        return arrive

    def peer(self, queue=0):
        socket = zmq.Context.instance().socket(PEERS[self.kind])
        socket.set(zmq.RCVHWM, queue)
        socket.connect(self.endpoint)
        return socket

    def visit(self):
        """Comes and goes, well before the others come."""
        socket = subscriber(self.endpoint)
        time.sleep(VISIT / 2)
        socket.close(0)
