"""A television programme, or at least its test picture and beep: ffmpeg's ZeroMQ output.

Package: Debian's ffmpeg.
Socket:  PUB, bound.
Frames:  one, of an MPEG transport stream: units of 188 bytes, each beginning with `G`.
Topics:  none, and nothing tells where a message belongs but the order in which they come.

The stream may have begun when the recorder comes. Its tables are repeated ten times a second, so
the frames of the capture, one behind the other in a file, can be played.
"""

import re
import subprocess
import time

import recorder

PICTURE = "testsrc2=size=160x120:rate=25"
SOUND = "sine=frequency=440:beep_factor=4"


def publish(endpoint):
    ffmpeg = subprocess.Popen(
        ["ffmpeg", "-hide_banner", "-loglevel", "error", "-re"]
        + ["-f", "lavfi", "-i", PICTURE, "-f", "lavfi", "-i", SOUND]
        + ["-codec:v", "mpeg2video", "-b:v", "200k", "-codec:a", "mp2", "-b:a", "64k"]
        + ["-t", "100", "-f", "mpegts", f"zmq:{endpoint}"],
        stdin=subprocess.PIPE,
    )
    try:
        recorder.is_listening(patience=60)
        time.sleep(8)
        ffmpeg.communicate(b"q", timeout=20)
    finally:
        ffmpeg.terminate()
        ffmpeg.wait(timeout=20)


def label():
    """The version of ffmpeg, which says it in its first line."""
    text = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=True).stdout
    return "ffmpeg-" + re.match(r"ffmpeg version (\S+)", text)[1]


recorder.main(publish, label)
