"""How well zcap replays: how fast, how late, how exact at the end.

    speed      the most that `zcap replay --rate max` gives, over senders in C (replay_speed.py)
    lateness   how far behind their times messages leave, beside a bare loop that sleeps and spins,
               and beside LCM's player where that is installed (replay_lateness.py)
    drift      how far the end of ten minutes is from where the timeline has it (replay_drift.py)

Each part is kept as a result of its own, `replay-speed` and so on. With --check it exits with 3
where a figure misses what is asked for."""

import argparse
import sys

import replay_drift
import replay_lateness
import replay_speed
from rig import Rig, save

GIB = 1 << 30
PARTS = {"speed": replay_speed, "lateness": replay_lateness, "drift": replay_drift}


def seconds(text):
    value = float(text)
    if not 1 <= value <= 600:
        raise argparse.ArgumentTypeError("1 to 600 seconds")
    return value


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=PARTS)
    parser.add_argument(
        "--size", type=int, action="append", choices=replay_speed.TARGETS,
        help="speed: bytes of a payload (repeatable)")
    parser.add_argument("--rounds", type=int, help="speed: 7, lateness: 3")
    parser.add_argument("--seconds", type=seconds, help="lateness: of the timeline, 60")
    parser.add_argument("--drift-seconds", type=seconds, help="drift: of each replay, 600")
    parser.add_argument("--quick", action="store_true", help="less of all: to try, not to quote")
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--check", action="store_true")
    return parser.parse_args()


def main():
    arguments = options()
    reached = True
    with Rig(room=8 * GIB, in_memory=False) as rig:
        for name in arguments.only or PARTS:
            print(f"{name}:")
            result = PARTS[name].measure(rig, arguments)
            reached = print_targets(result["targets"]) and reached
            if arguments.save:
                save(f"replay-{name}", result)
    if arguments.check and not reached:
        sys.exit(3)


def print_targets(targets):
    """What was asked for, beside what was measured. Returns whether all of it was reached."""
    print("\nasked for, and measured:")
    for target in targets:
        mark = "ok" if target["reached"] else "MISSED"
        print(f"  {target['what']:44}{target['asked']:>12}{target['measured']:>14}  {mark}")
    print(flush=True)
    return all(target["reached"] for target in targets)


main()
