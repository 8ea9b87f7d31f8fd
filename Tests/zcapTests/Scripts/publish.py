"""publish.py SEED COUNT ENDPOINT...: publishes COUNT messages of seeded traffic on each endpoint.

Binds every endpoint, prints a JSON array of what was bound, waits until each has a subscriber,
and waits for slow ones instead of dropping.
"""

import json
import sys

import traffic
import zmq


def main():
    seed, count, endpoints = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    context = zmq.Context()
    sockets = []
    for endpoint in endpoints:
        socket = context.socket(zmq.XPUB)
        socket.setsockopt(zmq.XPUB_NODROP, 1)
        socket.bind(endpoint)
        sockets.append(socket)
    print(json.dumps([s.getsockopt_string(zmq.LAST_ENDPOINT) for s in sockets]), flush=True)

    for socket in sockets:
        assert socket.recv()[:1] == b"\x01", "a subscription comes first"
    streams = [traffic.messages(seed, number, count) for number in range(len(sockets))]
    for turn in traffic.interleaving(seed, [count] * len(sockets)):
        sockets[turn].send_multipart(next(streams[turn]))
    context.destroy(linger=-1)


main()
