"""What a circus process manager says about the processes that it watches.

Package: circus; `circusd` starts `circusd-stats`, which publishes.
Socket:  PUB, bound by circusd-stats.
Frames:  two: topic, JSON.
Topics:  `stat.WATCHER.PID` for each process and `stat.WATCHER` for all of a watcher, once a second;
         `stat.circus` for circus itself, and `stat.sockets` for the sockets that it holds.

circusd-stats publishes whether or not somebody listens: nothing to wait for before the start.
"""

import pathlib
import subprocess
import sys
import tempfile
import time

from circus.client import CircusClient

import recorder

CONFIGURATION = """
[circus]
endpoint = ipc://{folder}/control
pubsub_endpoint = ipc://{folder}/events
stats_endpoint = {endpoint}
statsd = True
loglevel = WARNING

[socket:web]
host = 127.0.0.1
port = 0

[watcher:sleepers]
cmd = sleep 60
numprocesses = 3

[watcher:worker]
cmd = sh -c 'while sleep 0.01; do :; done'

[watcher:brief]
cmd = sleep 2
"""


def publish(endpoint):
    with tempfile.TemporaryDirectory() as folder:
        configuration = pathlib.Path(folder, "circus.ini")
        text = CONFIGURATION.replace("{folder}", folder).replace("{endpoint}", endpoint)
        configuration.write_text(text)
        circusd = subprocess.Popen(
            [sys.executable, "-m", "circus.circusd", configuration], cwd=folder
        )
        client = CircusClient(endpoint=f"ipc://{folder}/control")
        try:
            recorder.is_listening(patience=60)
            # Processes come and go, and with them topics.
            for _ in range(3):
                time.sleep(3)
                client.call({"command": "incr", "properties": {"name": "sleepers"}})
            time.sleep(3)
            client.call({"command": "quit", "properties": {}})
            circusd.wait(timeout=20)
        finally:
            circusd.terminate()
            circusd.wait(timeout=20)


recorder.main(publish, "circus")
