"""count.py ENDPOINT FIRST END [SKIPPED...]: publishes the numbers from FIRST to END, some left out.

Binds the endpoint, prints a line, waits for a subscriber, publishes `count` and the number as four
bytes, lowest first; then prints another line and waits to be killed.
"""

import struct
import sys
import time

import zmq


def main():
    first, end = int(sys.argv[2]), int(sys.argv[3])
    skipped = {int(number) for number in sys.argv[4:]}
    context = zmq.Context()
    socket = context.socket(zmq.XPUB)
    socket.setsockopt(zmq.XPUB_NODROP, 1)
    socket.bind(sys.argv[1])
    print("bound", flush=True)
    assert socket.recv()[:1] == b"\x01", "a subscription comes first"
    for number in range(first, end):
        if number not in skipped:
            socket.send_multipart([b"count", struct.pack("<I", number)])
    print("sent", flush=True)
    time.sleep(60)


main()
