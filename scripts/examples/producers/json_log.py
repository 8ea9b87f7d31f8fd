"""JSON.

    zcap record ENDPOINT -o demo
    zcap cat demo --json

    {"level":"info","text":"started","pid":4711}
"""

import json

from publish import publish

publish([[b"log", json.dumps({"level": "info", "text": "started", "pid": 4711}).encode()]])
