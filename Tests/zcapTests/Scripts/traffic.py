"""Traffic made from a seed: the publisher and the subscriber of a test agree on every byte.

Most messages have few frames and some have 200; frames are empty, small, or up to 1 MiB; topics
are binary.
"""

import random

LARGEST = 1 << 20
POOL_SIZE = 2 * LARGEST


def messages(seed, endpoint, count):
    """The messages of one endpoint, each a list of frames."""
    rng = random.Random(f"{seed}/{endpoint}")
    pool = rng.randbytes(POOL_SIZE)
    topics = [_slice(rng, pool, rng.randint(1, 16)) for _ in range(64)] + [b""]
    for number in range(count):
        frames = [_slice(rng, pool, _frame_size(rng)) for _ in range(_frame_count(rng, number))]
        if len(frames) > 1:
            frames[0] = topics[int(rng.random() * len(topics))]
        if number % 10_000 == 17:
            frames[-1] = _slice(rng, pool, LARGEST)
        yield frames


def interleaving(seed, counts):
    """The order in which the endpoints take turns."""
    rng = random.Random(f"{seed}/turns")
    left = list(counts)
    total = sum(left)
    while total:
        turn = int(rng.random() * len(left))
        if left[turn]:
            left[turn] -= 1
            total -= 1
            yield turn


def _slice(rng, pool, size):
    start = int(rng.random() * (POOL_SIZE - size))
    return pool[start : start + size]


def _frame_count(rng, number):
    if number % 1000 == 999:
        return 200
    kind = rng.random()
    if kind < 0.60:
        return 1 + int(rng.random() * 3)
    if kind < 0.95:
        return 4 + int(rng.random() * 5)
    if kind < 0.998:
        return 9 + int(rng.random() * 22)
    return 31 + int(rng.random() * 170)


def _frame_size(rng):
    kind = rng.random()
    if kind < 0.20:
        return 0
    if kind < 0.80:
        return 1 + int(rng.random() * 64)
    if kind < 0.97:
        return 65 + int(rng.random() * 960)
    if kind < 0.9996:
        return 1025 + int(rng.random() * 7168)
    return 8193 + int(rng.random() * (LARGEST - 8192))
