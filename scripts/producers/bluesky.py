"""Experiments of the bluesky run engine, published by its 0MQ callback.

Package: bluesky (with simulated devices of ophyd).
Socket:  PUB, bound by bluesky's proxy, to which bluesky's publisher connects.
Frames:  one: `PREFIX NAME DOCUMENT`. The prefix may be empty, and is by default; the message then
         begins with a space. The name is start, descriptor, event or stop; the document a pickle.
Topics:  the prefix, since ZeroMQ subscriptions match from the start.

Two publishers share the proxy: one without a prefix, as most are, and one named `beamline7`.
"""

import pathlib
import signal
import subprocess
import sys
import tempfile

# This file is named like the package: look for that one first.
sys.path.append(sys.path.pop(0))

import numpy as np
from bluesky import RunEngine
from bluesky.callbacks.zmq import Publisher
from bluesky.plans import count, grid_scan, scan
from ophyd.sim import SynSignal, det1, motor, motor1, motor2

import recorder


def run_plans(inlet):
    """Runs experiments, and sends the documents about them to the proxy."""
    random = np.random.default_rng(seed=1)
    image = SynSignal(func=lambda: random.poisson(9, (32, 32)).astype(np.uint16), name="image")
    motor.delay = motor1.delay = motor2.delay = 0.05
    anonymous = Publisher(inlet)
    beamline = Publisher(inlet, prefix=b"beamline7")

    engine = RunEngine({"operator": "Ångström"})
    warming_up = engine.subscribe(beamline)
    while not recorder.is_listening(0.2):
        engine(count([det1], num=1), purpose="warming up")
    engine.unsubscribe(warming_up)

    engine.subscribe(anonymous)
    engine(count([det1], num=20, delay=0.05), purpose="no prefix")
    engine(scan([det1, image], motor, -2, 2, 21), purpose="arrays in the events")
    engine.subscribe(beamline)
    engine(grid_scan([det1], motor1, -1, 1, 5, motor2, -1, 1, 5), purpose="both publishers")
    anonymous.close()
    beamline.close()


def publish(endpoint):
    with tempfile.TemporaryDirectory() as folder:
        inlet = f"ipc://{folder}/inlet"
        proxy = subprocess.Popen(
            [pathlib.Path(sys.executable).with_name("bluesky-0MQ-proxy")]
            + ["--in-address", inlet, "--out-address", endpoint],
            stdout=subprocess.DEVNULL,
        )
        try:
            run_plans(inlet)
        finally:
            # Interrupted, it sends what it still has.
            proxy.send_signal(signal.SIGINT)
            proxy.wait(timeout=20)


recorder.main(publish, "bluesky")
