"""MessagePack.

    zcap record ENDPOINT -o demo
    zcap cat demo --json

    {"seq":2,"state":"moving","position":[0.5,-1.25],"flags":{"$bytes":"AAE="}}
"""

import msgpack
from publish import publish

publish(
    [b"status", msgpack.packb(
        {"seq": seq, "state": "moving", "position": [0.5, -1.25], "flags": b"\x00\x01"})]
    for seq in range(3))
