"""What a replay promises, proved at length by scripts/replay-campaign.

    beginnings   whoever is waited for gets everything (replay_beginnings.py)
    random       no verb loses, doubles or reorders a message (replay_random.py)
    seek         a seek is a matter of milliseconds, however long the capture (replay_seek.py)
    stall        a subscriber that stops reading loses nothing and is named (replay_stall.py)
    truncated    files that shrink or vanish meanwhile are told, and kill nothing
                 (replay_truncated.py)

Each part has a folder of its own, what it does comes from the seed, and it ends by itself: what
takes too long is a broken promise, too. Exits with 3 where one is broken."""

import argparse
import pathlib
import random
import signal
import sys

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent
TESTS = SCRIPTS.parent / "Tests" / "zcapTests" / "Scripts"
sys.path += [str(SCRIPTS), str(SCRIPTS / "benchmarks"), str(TESTS)]

import replay_beginnings
import replay_random
import replay_seek
import replay_stall
import replay_truncated
from player import Broken
from rig import Rig

PARTS = {
    "beginnings": replay_beginnings, "random": replay_random, "seek": replay_seek,
    "stall": replay_stall, "truncated": replay_truncated,
}
GIB = 1 << 30


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=PARTS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--check", action="store_true", help="seek: what is too slow is broken")
    parser.add_argument("--runs", type=int, help="beginnings: 200")
    parser.add_argument("--minutes", type=float, help="random: 10")
    parser.add_argument("--gib", type=float, help="seek: size of the capture, 20")
    parser.add_argument("--seeks", type=int, help="seek: of each kind, 300")
    return parser.parse_args()


def give_up(*_):
    raise Broken("it takes too long")


def prove(name, arguments):
    """Runs a part. Returns whether its promises were kept."""
    part = PARTS[name]
    chance = random.Random(f"{arguments.seed}/{name}")
    signal.alarm(part.seconds_max(arguments))
    try:
        with Rig(room=part.room(arguments), in_memory=False, compiled=False) as rig:
            part.run(rig, arguments, chance)
    except Broken as broken:
        print(f"{name}: BROKEN: {broken}\n  again with: --only {name} --seed {arguments.seed}")
        return False
    finally:
        signal.alarm(0)
    return True


def main():
    arguments = options()
    sys.stdout.reconfigure(line_buffering=True)
    signal.signal(signal.SIGALRM, give_up)
    print(f"seed {arguments.seed}")
    kept = [prove(name, arguments) for name in PARTS if name in (arguments.only or PARTS)]
    if not all(kept):
        sys.exit(3)


main()
