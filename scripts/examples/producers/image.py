"""A picture with what describes it, sent without a copy: the recipe of pyzmq's documentation.

    zcap record ENDPOINT -o demo
    zcap cat demo --json

    {"dtype":"uint8","shape":[48,64,3],"min":0,"max":255,"mean":127.5}
"""

import json

import numpy
from publish import publish

image = (numpy.arange(48 * 64 * 3) % 256).astype(numpy.uint8).reshape(48, 64, 3)
meta = json.dumps({"dtype": str(image.dtype), "shape": image.shape, "camera": "left"}).encode()
publish(([b"camera", meta, memoryview(image)] for _ in range(3)), copy=False)
