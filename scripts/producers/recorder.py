"""What the producers share: their command line, and hearing that the recorder listens.

    python NAME.py --label      the package and its version, as the manifest of a capture has them
    python NAME.py ENDPOINT     publishes there, and ends by itself

A publisher drops what nobody has subscribed to yet, and few tell their user when somebody has.
So each one publishes something small, again and again, until `scripts/make-captures` has seen a
first message in the capture and writes a line to its standard input.
"""

import select
import sys
from importlib.metadata import version


def is_listening(patience=0.0):
    """Whether a first message has been recorded; waits `patience` seconds for it."""
    return bool(select.select([sys.stdin], [], [], patience)[0])


def main(publish, package):
    """Runs the command line: `publish(endpoint)`, or the label.

    `package` is the name of a Python package, or a function that returns the label.
    """
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} ENDPOINT | --label")
    if sys.argv[1] == "--label":
        print(package() if callable(package) else f"{package}-{version(package)}")
    else:
        publish(sys.argv[1])
