"""Subscribes to an endpoint and compares what arrives with the messages of a capture.

    python compare_replay.py ENDPOINT CAPTURE

Exits 1 at the first frame that differs, or when the messages do not arrive.
"""

import sys

import zmq

from capture_reader import messages


def main(endpoint, capture):
    socket = zmq.Context().socket(zmq.SUB)
    socket.setsockopt(zmq.RCVTIMEO, 60_000)
    socket.setsockopt(zmq.RCVHWM, 0)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.connect(endpoint)
    count = size = 0
    for _, expected in messages(capture):
        received = socket.recv_multipart()
        if received != expected:
            sys.exit(f"message {count} differs: {received!r} instead of {expected!r}")
        count += 1
        size += sum(map(len, expected))
    print(f"{count} messages, {size} bytes: every byte and the order are the same")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: compare_replay.py ENDPOINT CAPTURE")
    main(*sys.argv[1:])
