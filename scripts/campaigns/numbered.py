"""Messages that carry their number: who sends them, who receives and checks them.

    numbered.py send ENDPOINT TIMELINE SIZE TOPICS RARE
    numbered.py receive ENDPOINT COUNT SIZE TOPICS RARE [STOP SECONDS]

`send` binds ENDPOINT, waits for a subscription, and sends when they are due as many messages as
TIMELINE has times (timelines.py); it waits for a slow subscriber. `receive` expects COUNT of them,
takes a break of SECONDS before number STOP, and prints {"received": ..., "fault": ...}."""

import array
import json
import random
import sys
import time

import zmq

NUMBER_BYTES = 8
RARE_TOPIC = b"rare"
QUEUE_BYTES, QUEUE_MESSAGES = 64 << 20, 10_000
WAIT_MILLISECONDS = 60_000


class Traffic:
    """Messages of two frames by their number: a topic, and a payload of `size` bytes that begins
    with the number. The topics come in turn; every `rare`-th message has a topic of its own."""

    def __init__(self, size, topics, rare=1 << 62):
        self.arguments = [size, topics, rare]
        self.size, self.rare = size, rare
        self.topics = [b"topic/%010d" % topic for topic in range(topics)]
        self.rest = random.Random(0).randbytes(size - NUMBER_BYTES)

    def topic(self, number):
        return RARE_TOPIC if number % self.rare == 0 else self.topics[number % len(self.topics)]

    def __getitem__(self, number):
        return [self.topic(number), number.to_bytes(NUMBER_BYTES, "little") + self.rest]

    def state(self, before, with_rare):
        """The numbers of the last messages of all topics before a number, in order."""
        last = {}
        for number in range(before - 1, max(0, before - 2 * len(self.topics)) - 1, -1):
            if number % self.rare != 0:
                last.setdefault(self.topic(number), number)
        if with_rare and before > 0:
            last[RARE_TOPIC] = (before - 1) // self.rare * self.rare
        return sorted(last.values())


def number_of(frames):
    return int.from_bytes(frames[1][:NUMBER_BYTES], "little")


def send(endpoint, timeline, *arguments):
    traffic = Traffic(*map(int, arguments))
    times = array.array("q")
    with open(timeline, "rb") as file:
        times.frombytes(file.read())
    context = zmq.Context()
    socket = context.socket(zmq.XPUB)
    socket.set(zmq.XPUB_NODROP, 1)
    socket.set(zmq.SNDHWM, max(100, min(QUEUE_MESSAGES, QUEUE_BYTES // traffic.size)))
    socket.set(zmq.SNDTIMEO, WAIT_MILLISECONDS)
    socket.set(zmq.LINGER, WAIT_MILLISECONDS)
    socket.bind(endpoint)
    assert socket.recv()[:1] == b"\x01", "a subscription comes first"
    anchor = time.monotonic_ns() - times[0]
    for number, due in enumerate(times):
        wait = anchor + due - time.monotonic_ns()
        if wait > 0:
            time.sleep(wait / 1e9)
        socket.send_multipart(traffic[number])
    socket.close()
    context.term()


def receive(endpoint, count, size, topics, rare, stop=-1, seconds=0):
    traffic = Traffic(int(size), int(topics), int(rare))
    socket = zmq.Context().socket(zmq.SUB)
    # Small queues: it is soon noticed that nobody reads.
    socket.set(zmq.RCVHWM, 100)
    socket.set(zmq.RCVBUF, 256 << 10)
    socket.set(zmq.RCVTIMEO, WAIT_MILLISECONDS)
    socket.set(zmq.LINGER, 0)
    socket.subscribe(b"")
    socket.connect(endpoint)
    fault, number = None, 0
    while number < int(count) and not fault:
        if number == int(stop):
            time.sleep(float(seconds))
        try:
            frames = socket.recv_multipart()
            if frames == traffic[number]:
                number += 1
            else:
                fault = f"number {number_of(frames)} came where {number} was due"
        except zmq.Again:
            fault = f"nothing came behind number {number - 1}"
    if not fault and socket.poll(500):
        fault = f"something came behind number {number - 1}"
    print(json.dumps({"received": number, "fault": fault}))


if __name__ == "__main__":
    {"send": send, "receive": receive}[sys.argv[1]](*sys.argv[2:])
