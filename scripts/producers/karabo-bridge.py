"""Detector data as the European XFEL hands it to analysis programs: the Karabo bridge.

Package: karabo-bridge (with msgpack and NumPy).
Socket:  PUB, bound; its high-water mark is 1 and its linger 0, so slow subscribers lose trains.
Frames:  pairs of a header and its content. For each source `{"source": ..., "content": "msgpack",
         "metadata": ...}` and a MessagePack map; then for each of its arrays `{..., "content":
         "array", "path": ..., "dtype": ..., "shape": ...}` and the plain elements. All the
         headers are MessagePack too.
Topics:  none: the first frame has the name of a source in it, but a different time each time.

A train comes ten times a second: a gas monitor with one array, every other time a camera with two
more, so a message has 4 or 10 frames.
"""

import time

import numpy as np
from karabo_bridge import ServerInThread

import recorder

TRAINS = 50
FIRST_TRAIN = 1_000_000_000


def train(number, with_camera=True):
    """The data of each source, and beside it the metadata."""
    random = np.random.default_rng(seed=number)
    data = {
        "SA1_XTD2_XGM/DOOCS/MAIN": {
            "data.intensityTD": random.normal(800, 50, 64).astype(np.float32),
            "pulseEnergy.wavelengthUsed": 0.1333,
            "beamPosition.ixPos": float(random.normal()),
        }
    }
    if with_camera:
        data["SPB_EXP_ZYLA/CAM/1:daqOutput"] = {
            "data.image.pixels": random.poisson(40, (48, 64)).astype(np.uint16),
            "data.image.bounds": np.array([[0, 48], [0, 64]], dtype=np.int64),
            "data.image.encoding": "GRAY",
        }
    seconds, fraction = divmod(time.time_ns(), 10**9)
    times = {"timestamp.tid": number, "timestamp.sec": str(seconds)}
    times["timestamp.frac"] = f"{fraction:09}".ljust(18, "0")
    return data, {source: {"source": source, **times} for source in data}


def publish(endpoint):
    with ServerInThread(endpoint, sock="PUB") as server:
        while not recorder.is_listening(0.2):
            server.feed(*train(0, with_camera=False))
        for number in range(TRAINS):
            server.feed(*train(FIRST_TRAIN + number, with_camera=number % 2 == 1))
            time.sleep(0.1)


recorder.main(publish, "karabo-bridge")
