"""The messages by which satellite ground stations pass the word that files are there: posttroll.

Package: posttroll (of the Pytroll suite).
Socket:  PUB, bound.
Frames:  one of text: `pytroll:/SUBJECT TYPE USER@HOST TIME VERSION`, then, if there is data, its
         media type and the data to the end: `application/json {...}` or `text/ascii ...`.
Topics:  `pytroll:/SUBJECT`. The subject is a path and ends at the first space of the frame;
         `pytroll://heartbeat/NAME` comes every now and then, so that listeners know who is alive.

A satellite comes by: a message for each of its files, a list of all after every ten.
"""

import datetime
import random
import sys
import time

# This file is named like the package: look for that one first.
sys.path.append(sys.path.pop(0))

from posttroll.message import Message
from posttroll.publisher import Publisher

import recorder

GRANULES = 60


def granule(number):
    """What is said of one file."""
    start = datetime.datetime(2024, 3, 1, 12, tzinfo=datetime.timezone.utc)
    start += datetime.timedelta(minutes=3 * number)
    uid = f"AVHR_xxx_1B_M01_{start:%Y%m%d%H%M%S}Z.nat"
    return {
        "uri": f"file:///data/metop/{uid}",
        "uid": uid,
        "sensor": ["avhrr-3", "mhs"],
        "platform_name": "Metop-B",
        "start_time": start,
        "end_time": start + datetime.timedelta(minutes=3),
        "orbit_number": 59_000 + number // 34,
        "receiver": "Norrköping",
    }


def publish(endpoint):
    chance = random.Random(1)
    publisher = Publisher(endpoint, name="gatherer").start()
    while not recorder.is_listening(0.2):
        publisher.heartbeat()
    for number in range(GRANULES):
        data = granule(number)
        publisher.send(Message("/segment/AVHRR/1B", "file", data).encode())
        if chance.random() < 0.3:
            text = f"granule {number} is late"
            publisher.send(Message("/alarm", "warning", text).encode())
        if number % 10 == 9:
            files = [granule(each) for each in range(number - 9, number + 1)]
            publisher.send(Message("/collection/AVHRR", "dataset", {"dataset": files}).encode())
            publisher.send(Message("/stop", "info").encode())
        publisher.heartbeat(min_interval=1)
        time.sleep(0.05)
    publisher.stop()


recorder.main(publish, "posttroll")
