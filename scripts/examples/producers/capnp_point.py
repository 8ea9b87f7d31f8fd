"""Cap'n Proto, which needs its schema.

    zcap record ENDPOINT -o demo --schema point.request --codec 'point#1=capnp(Point)'
    zcap cat demo --json

    {"id":2,"x":0.5,"y":-1.5,"label":"corner"}
"""

import pathlib

import capnp
from publish import publish

schema = capnp.load(str(pathlib.Path(__file__).with_name("point.capnp")))
publish(
    [b"point", schema.Point.new_message(id=number, x=0.5, y=-1.5, label="corner").to_bytes()]
    for number in range(3))
