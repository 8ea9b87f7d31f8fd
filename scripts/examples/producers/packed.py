"""A packed struct: its layout is told in the words of Python's `struct`, with names.

    zcap record ENDPOINT -o demo --codec 'imu/*#1=struct(<Id3f:seq,time,gyro)'
    zcap cat demo --json

    {"seq":1,"time":0.25,"gyro":[0.5,-0.5,1.0]}
"""

import struct

from publish import publish

publish(
    [b"imu/left", struct.pack("<Id3f", seq, seq / 4, 0.5, -0.5, 1.0)] for seq in range(3))
