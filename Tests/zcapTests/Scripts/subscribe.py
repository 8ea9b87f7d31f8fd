"""subscribe.py SEED COUNT TARGET...: receives seeded traffic and compares every byte of it.

A target is `connect:ENDPOINT` or `bind:ENDPOINT`, in the order of the publisher's endpoints.
Prints a JSON array of the endpoints; then, when every publisher has gone, an object with what
came. Ends with 0 if and only if that was exactly the expected messages in the expected order.
"""

import json
import sys

import traffic
import zmq
from zmq.utils.monitor import recv_monitor_message


class Stream:
    """One socket and what it should bring."""

    def __init__(self, context, seed, number, count, target):
        self.expected = traffic.messages(seed, number, count)
        self.received = 0
        self.bytes = 0
        self.has_ended = False
        self.fault = None
        self.socket = context.socket(zmq.SUB)
        self.monitor = self.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        # Queues without limit: libzmq forgets what an ipc peer sent last when they are full.
        self.socket.setsockopt(zmq.RCVHWM, 0)
        self.socket.subscribe(b"")
        way, endpoint = target.split(":", 1)
        if way == "bind":
            self.socket.bind(endpoint)
        else:
            self.socket.connect(endpoint)

    def take(self):
        """Receives what is there."""
        while True:
            try:
                frames = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self.compare(frames)

    def compare(self, frames):
        expected = next(self.expected, None)
        if self.fault is None and frames != expected:
            self.fault = f"message {self.received}: {sizes(frames)} instead of {sizes(expected)}"
        self.received += 1
        self.bytes += sum(map(len, frames))

    def finish(self):
        self.take()
        if self.fault is None and next(self.expected, None) is not None:
            self.fault = f"nothing after message {self.received}"


def sizes(frames):
    return "no message" if frames is None else f"frames of {[len(f) for f in frames]} bytes"


def main():
    seed, count, targets = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    context = zmq.Context()
    streams = [Stream(context, seed, n, count, target) for n, target in enumerate(targets)]
    endpoints = [s.socket.getsockopt_string(zmq.LAST_ENDPOINT) for s in streams]
    print(json.dumps(endpoints), flush=True)

    poller = zmq.Poller()
    for stream in streams:
        poller.register(stream.socket, zmq.POLLIN)
        poller.register(stream.monitor, zmq.POLLIN)
    while not all(stream.has_ended for stream in streams):
        ready = dict(poller.poll())
        for stream in streams:
            if stream.socket in ready:
                stream.take()
            if stream.monitor in ready:
                recv_monitor_message(stream.monitor)
                stream.has_ended = True
    for stream in streams:
        stream.finish()
    print(
        json.dumps(
            {
                "received": [s.received for s in streams],
                "bytes": sum(s.bytes for s in streams),
                "faults": [s.fault for s in streams if s.fault],
            }
        ),
        flush=True,
    )
    sys.exit(1 if any(s.fault for s in streams) else 0)


main()
