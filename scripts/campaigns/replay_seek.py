"""A seek is a matter of milliseconds, however long the capture, and so is the state before it.

A capture of 20 GiB, messages of 16 KiB with 1,000 topics in turn, is in memory, as far as that
reaches: all of it is read once, and the segments around a place again before it is sought. A paused
replay of it is told over the control socket to seek to random times and to step. What is measured
is the time from the request to the arrival of the first message at a subscriber, which has to be
the first one at or behind the sought time. Beside it stands what any request takes from here.

    status   a request that changes nothing
    seek     without the state before the place: within 5 ms
    state    with --state-first topic/: the last messages of 1,000 topics come first, each once, in
             their order: within 50 ms, measured to the first of them, and until all of them and
             the message behind have come
    rare     with --state-first '': the same and one more topic, which has four messages in all of
             the capture. It has no limit: what it costs is told only

With --check a figure that is over its limit, the slowest of all included, is a broken promise."""

import time

import zmq

from numbered import NUMBER_BYTES, Traffic, number_of
from player import Broken, Control, Replay, fault, subscriber
from recorded import at_once, record
from rig import free_endpoint, warm

GIB, GIB_QUICK = 20, 0.25
SEEKS, SEEKS_QUICK = 300, 30
PAYLOAD_BYTES, TOPICS, RARE_MESSAGES = 16 << 10, 1000, 4
SEGMENTS_AROUND = 2
ARRIVAL_MILLISECONDS = 20_000
# What is sent first, and how soon all of it has to be there.
KINDS = {"seek": (None, 0.005), "state": ("topic/", 0.050), "rare": ("", None)}


def gib(arguments):
    return arguments.gib or (GIB_QUICK if arguments.quick else GIB)


def seeks(arguments):
    return arguments.seeks or (SEEKS_QUICK if arguments.quick else SEEKS)


def room(arguments):
    return int((1.1 * gib(arguments) + 1) * 2**30)


def seconds_max(arguments):
    return int(120 + 30 * gib(arguments) + 3 * seeks(arguments))


def run(rig, arguments, chance):
    count = int(gib(arguments) * 2**30) // PAYLOAD_BYTES
    traffic = Traffic(PAYLOAD_BYTES, TOPICS, rare=count // RARE_MESSAGES)
    capture = rig.folder / "seek"
    recorded = record(
        rig, capture, at_once(count), traffic, options=["--segment-size", "64MiB", "--hwm", 1000])
    seconds = recorded.times[-1] / 1e9
    print(
        f"seek: {len(recorded)} messages, {gib(arguments)} GiB in {len(recorded.segments)}"
        f" segments, recorded in {seconds:.1f} s")
    results = [
        Seeker(rig, capture, recorded, traffic, kind).measure(chance, seeks(arguments))
        for kind in KINDS]
    if arguments.check and not all(results):
        raise Broken("a seek took longer than was asked for")


class Seeker:
    """A paused replay of a capture and one that listens to it."""

    def __init__(self, rig, capture, recorded, traffic, kind):
        self.recorded, self.traffic, self.kind = recorded, traffic, kind
        self.prefix, self.limit = KINDS[kind]
        endpoint, control = free_endpoint(), f"ipc://{rig.folder}/{kind}-control"
        options = [] if self.prefix is None else ["--state-first", self.prefix]
        self.replay = Replay(rig, capture, endpoint, 1, "--loop", "--control", control, *options)
        self.control = Control(control)
        # Obeyed before the first message is sent.
        self.control.ask("pause")
        self.socket = subscriber(endpoint)
        self.socket.set(zmq.RCVTIMEO, ARRIVAL_MILLISECONDS)

    def measure(self, chance, seeks):
        statuses, firsts, alls = [], [], []
        for _ in range(seeks):
            landed, place = self.choose_place(chance)
            statuses.append(self.request())
            first, last = self.seek(landed, place)
            firsts.append(first)
            alls.append(last)
        if self.socket.poll(200):
            raise Broken(f"{self.kind}: number {number_of(self.socket.recv_multipart())} came last")
        self.control.ask("stop")
        self.control.close()
        self.replay.end_well(seeks)
        self.socket.close(0)
        print(f"status: {seeks} requests: {figures(statuses)}")
        return self.tell(firsts, alls)

    def choose_place(self, chance):
        """A time, in memory, and the message that is there."""
        place = chance.randrange(self.recorded.times[-1])
        landed = self.recorded.first_at(place)
        self.warm_around(landed)
        return landed, place

    def request(self):
        begun = time.perf_counter()
        self.control.ask("status")
        return time.perf_counter() - begun

    def seek(self, landed, place):
        """Returns after how many seconds the first and the last message came that should."""
        state = [] if self.prefix is None else self.traffic.state(landed, self.prefix == "")
        begun = time.perf_counter()
        self.control.ask("seek", position_s=place / 1e9)
        self.control.send("step")
        received = [self.receive()]
        first = time.perf_counter() - begun
        while len(received) <= len(state):
            received.append(self.receive())
        last = time.perf_counter() - begun
        self.control.receive()
        self.compare(received, state + [landed], place)
        return first, last

    def receive(self):
        try:
            return self.socket.recv_multipart()
        except zmq.Again:
            raise Broken(f"{self.kind}: nothing comes behind a seek") from None

    def compare(self, received, numbers, place):
        """The state may be in memory that is read as it is sent: each byte counts."""
        found = fault([number_of(frames) for frames in received], numbers)
        if found:
            raise Broken(f"{self.kind}, {place} ns: {found}")
        if any(frames[1][NUMBER_BYTES:] != self.traffic.rest for frames in received):
            raise Broken(f"{self.kind}, {place} ns: a payload is not as it was sent")

    def warm_around(self, number):
        last = self.recorded.segment_index(number)
        warm(self.recorded.segments[max(0, last - SEGMENTS_AROUND):last + SEGMENTS_AROUND])

    def tell(self, firsts, alls):
        """Prints the figures. Returns whether all are within the limit."""
        text = figures(firsts, self.limit)
        print(f"{self.kind}: {len(firsts)} seeks, to the first message: {text}")
        if self.prefix is not None:
            text = figures(alls, self.limit)
            print(f"{self.kind}: to the message behind the state: {text}")
        return self.limit is None or max(firsts + alls) <= self.limit


def figures(seconds, limit=None):
    """The median and the tail, as text; what is over a limit is marked."""
    named = {"median": quantile(seconds, 0.5), "99 %": quantile(seconds, 0.99), "max": max(seconds)}
    text = ", ".join(
        f"{name} {1e3 * figure:.2f} ms{' (over)' if limit and figure > limit else ''}"
        for name, figure in named.items())
    return f"{text}; asked for {1e3 * limit:.0f} ms" if limit else text


def quantile(values, part):
    return sorted(values)[round(part * (len(values) - 1))]
