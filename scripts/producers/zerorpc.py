"""Remote procedure calls that nobody answers: the publisher of zerorpc.

Package: zerorpc (with gevent and msgpack).
Socket:  PUB, bound.
Frames:  one: MessagePack of `[{"message_id": ..., "v": 3}, METHOD, [ARGUMENT...]]`.
Topics:  none: the message begins with the bytes of MessagePack.
"""

import random
import sys

# This file is named like the package: look for that one first.
sys.path.append(sys.path.pop(0))

import gevent
import zerorpc

import recorder


def publish(endpoint):
    chance = random.Random(1)
    publisher = zerorpc.Publisher()
    publisher.bind(endpoint)
    while not recorder.is_listening(0.2):
        publisher.hello("is anybody listening?")
    for step in range(300):
        publisher.temperature("köln", round(chance.gauss(12, 3), 2))
        publisher.position({"id": step % 7, "xy": [chance.random(), chance.random()], "ok": True})
        if step % 10 == 0:
            publisher.blob(chance.randbytes(256), None, -step, 2**40)
        gevent.sleep(0.01)
    publisher.close()


recorder.main(publish, "zerorpc")
