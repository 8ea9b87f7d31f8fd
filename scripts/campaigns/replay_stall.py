"""A subscriber that stops reading holds the replay up: nobody loses a message, and it is named.

Three subscribers, each a process of its own, get the same 30,000 messages a second; one of them
stops reading for five seconds in the middle, then goes on. All three get every message, in order
and as it was recorded. The summary tells for how long the replay was held up, five seconds less
what fits into the queues, at which endpoint, and by which peer: its address over tcp, its process
over ipc. The others have hardly any part in it."""

import json
import sys

import numbered
from numbered import Traffic
from player import Broken, Replay
from recorded import at_once, record
from rig import free_endpoint

PAYLOAD_BYTES, TOPICS = 1000, 4
MESSAGES, MESSAGES_QUICK, MESSAGES_PER_SECOND = 200_000, 90_000, 30_000
STALL_SECONDS, HELD_SECONDS, OTHERS_SECONDS_MAX = 5, (4, 6), 0.5
SUBSCRIBERS, STALLING = 3, 1


def room(arguments):
    return 1 << 30


def seconds_max(arguments):
    return 240


def run(rig, arguments, chance):
    count = MESSAGES_QUICK if arguments.quick else MESSAGES
    traffic = Traffic(PAYLOAD_BYTES, TOPICS)
    record(rig, rig.folder / "stall", at_once(count), traffic)
    for transport in ["tcp"] if arguments.quick else ["tcp", "ipc"]:
        stop = chance.randrange(count // 4, count // 2)
        stall(rig, transport, count, stop, traffic)


def stall(rig, transport, count, stop, traffic):
    endpoint = free_endpoint() if transport == "tcp" else f"ipc://{rig.folder}/peers"
    replay = Replay(
        rig, rig.folder / "stall", endpoint, SUBSCRIBERS, "--msgs-per-second",
        MESSAGES_PER_SECOND, "--late", "keep-gaps")
    replay.wait_for_begin()
    receivers = []
    for index in range(SUBSCRIBERS):
        pause = [stop, STALL_SECONDS] if index == STALLING else []
        receivers.append(Receiver(rig, endpoint, count, traffic, pause))
    summary = replay.end_well(count)
    for receiver in receivers:
        receiver.end(count)
    mine, others = 0, 0
    for held in summary["held"]:
        if held["peer"] == receivers[STALLING].name and held["endpoint"] == endpoint:
            mine += held["s"]
        else:
            others += held["s"]
    text = (
        f"{SUBSCRIBERS} subscribers over {transport} got {count} messages each; held up"
        f" {mine:.2f} s by {receivers[STALLING].name}, {others:.2f} s by others")
    if not HELD_SECONDS[0] <= mine <= HELD_SECONDS[1] or others > OTHERS_SECONDS_MAX:
        raise Broken(f"{text}: {summary['held']}")
    print(f"stall: {text}")


class Receiver:
    """A process that receives, and what the replay has to call it."""

    def __init__(self, rig, endpoint, count, traffic, pause):
        self.rig = rig
        address = endpoint
        if endpoint.startswith("tcp"):
            self.name = free_endpoint().removeprefix("tcp://")
            address = f"tcp://{self.name};{endpoint.removeprefix('tcp://')}"
        self.child = rig.start(
            sys.executable, numbered.__file__, "receive", address, count, *traffic.arguments,
            *pause)
        if not endpoint.startswith("tcp"):
            self.name = f"process {self.child.pid}"

    def end(self, count):
        result = json.loads(self.rig.finish(self.child))
        if result["fault"] or result["received"] != count:
            raise Broken(f"{self.name}: {result}")
