"""The control system of a synchrotron: events of a Tango device server.

Package: pytango (cppTango and omniORB are in it).
Socket:  PUB, bound by the device server. Its heartbeats go to a second socket, not recorded here.
Frames:  four. Topic; one byte, 1 if the server is little-endian; `ZmqCallInfo`, 21 bytes with a
         counter for each topic at 4; `c0 de c0 de` and the value, an `AttributeValue_5`. The last
         two are structures of Tango's IDL in CDR, which is what CORBA has on the wire.
Topics:  `tango://HOST:0/DEVICE/ATTRIBUTE#dbase=no.idl5_change`: without a database of devices the
         port is 0.

A server publishes what a client has asked for by CORBA, so there is a client as well. The first
event after that comes twice, with the same counter: cppTango sends it again, lest it be missed.
"""

import os
import time
from urllib.parse import urlsplit

import numpy as np
import tango
from tango.server import Device, attribute, command
from tango.test_context import DeviceTestContext

import recorder

STEPS = 60


class PowerSupply(Device):
    """A simulated device: a scalar, a waveform that grows longer, an image and text."""

    current = attribute(dtype=float, fget=lambda self: self.values()["current"])
    waveform = attribute(
        dtype=(float,), max_dim_x=256, fget=lambda self: self.values()["waveform"]
    )
    beam = attribute(
        dtype=(("uint16",),), max_dim_x=24, max_dim_y=16, fget=lambda self: self.values()["beam"]
    )
    message = attribute(dtype=str, fget=lambda self: self.values()["message"])

    def init_device(self):
        super().init_device()
        self.number = 0
        for name in self.values():
            self.set_change_event(name, True, False)

    def values(self):
        x = np.linspace(0, 4 * np.pi, 64 + self.number)
        random = np.random.default_rng(seed=self.number)
        return {
            "current": 200 + self.number / 10,
            "waveform": np.sin(x + self.number / 5),
            "beam": random.poisson(9, (16, 24)).astype(np.uint16),
            "message": f"step {self.number}" + ", ramping" * (self.number % 3),
        }

    @command
    def step(self):
        self.number += 1
        for name, value in self.values().items():
            self.push_change_event(name, value)


def publish(endpoint):
    address = urlsplit(endpoint)
    os.environ["TANGO_ZMQ_EVENT_PORT"] = str(address.port)
    with DeviceTestContext(PowerSupply, process=True, host=address.hostname, timeout=30) as device:
        for name in ("current", "waveform", "beam", "message"):
            device.subscribe_event(name, tango.EventType.CHANGE_EVENT, lambda event: None)
        while not recorder.is_listening(0.2):
            device.step()
        for _ in range(STEPS):
            device.step()
            time.sleep(0.05)


recorder.main(publish, "pytango")
