"""Controls a replay that was started with --control, from a program.

    zcap replay night --bind tcp://127.0.0.1:6000 --control ipc:///tmp/replay &
    python3 control_replay.py ipc:///tmp/replay pause
    python3 control_replay.py ipc:///tmp/replay seek position_s=90
    python3 control_replay.py ipc:///tmp/replay step messages=3
    python3 control_replay.py ipc:///tmp/replay next-mark
    python3 control_replay.py ipc:///tmp/replay rate rate=0.5
    python3 control_replay.py ipc:///tmp/replay status

A request is a JSON object, and so is the answer: how the replay stands when the verb was obeyed.
"""

import json
import sys

import zmq

endpoint, verb, *fields = sys.argv[1:]
request = {"do": verb}
for field in fields:
    name, value = field.split("=", 1)
    request[name] = json.loads(value)

socket = zmq.Context.instance().socket(zmq.REQ)
socket.setsockopt(zmq.LINGER, 0)
socket.setsockopt(zmq.RCVTIMEO, 10_000)
socket.connect(endpoint)
socket.send_json(request)
answer = socket.recv_json()
print(json.dumps(answer, indent=2))
sys.exit(0 if answer["ok"] else 1)
