"""Does zcap know what bytes are, when nobody tells?

Samples of which it is known what they are: values at random, written by the formats' own libraries;
random bytes, numbers and structs, which are raw; English text; compressed data; pictures. (Real captures
have their expected listings.) They are recorded, and what `zcap cat --json` finds each to be is held
against what it is. A guess is marked as such by zcap; a wrong answer that is
not is one with high confidence. Asked for: 97 % right, 0.5 % wrong with high confidence."""

import argparse
import bz2
import collections
import gzip
import json
import lzma
import pathlib
import random
import signal
import struct
import sys
import tempfile
import zlib

import msgpack

import decode_arrays
import decode_dynamic
import decode_schemas
from decode import record, shown

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
RIGHT, WRONG_SURELY = 0.97, 0.005


def png(chance):
    width, height = chance.randrange(1, 40), chance.randrange(1, 40)
    rows = b"".join(b"\0" + chance.randbytes(3 * width) for _ in range(height))

    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class Corpus:
    def __init__(self, chance, folder):
        self.chance = chance
        self.json = decode_dynamic.Json(chance, folder)
        self.msgpack = decode_dynamic.MessagePack(chance, folder)
        self.pickle = decode_dynamic.Pickle(chance, folder)
        self.structs = decode_arrays.Structs(chance, folder)
        self.arrays = decode_arrays.Arrays(chance, folder)
        self.protobuf = decode_schemas.Protobuf(chance, folder)
        self.capnp = decode_schemas.Capnp(chance, folder)
        self.flatbuffers = decode_schemas.FlatBuffers(chance, folder)
        text = "\n".join(
            (REPOSITORY / name).read_text() for name in ["README.md", "CHANGELOG.md"])
        self.sentences = [line.strip() for line in text.splitlines() if len(line.strip()) > 3]

    def samples(self, count):
        """Pairs of what frames are and the frames; the last one is meant."""
        makers = {
            "json": lambda: self.json.sample()[0], "msgpack": self.packed,
            "pickle": lambda: self.pickle.sample()[0], "raw: random": self.noise,
            "raw: numbers": self.numbers, "raw: struct": lambda: self.structs.sample()[0][-1:],
            "text": self.english, "raw: compressed": self.compressed, "gzip": self.gzipped,
            "image/png": lambda: [png(self.chance)], "array": lambda: self.arrays.sample()[0],
            "protobuf": lambda: self.protobuf.sample()[0], "capnp": lambda: self.capnp.sample()[0],
            "flatbuffers": lambda: self.flatbuffers.sample()[0],
        }
        for kind, make in makers.items():
            for _ in range(count):
                frames = make()
                while not frames[-1]:
                    frames = make()
                yield kind, frames

    def packed(self):
        """A map or an array: single numbers are what any bytes are."""
        while True:
            frames, _ = self.msgpack.sample()
            value = msgpack.unpackb(frames[0], strict_map_key=False)
            if isinstance(value, (dict, list)) and value:
                return frames

    def noise(self):
        return [self.chance.randbytes(self.chance.randrange(1, 2000))]

    def numbers(self):
        code = self.chance.choice("hiqfd")
        count = self.chance.randrange(1, 100)
        if code in "fd":
            values = [self.chance.gauss(0, 100) for _ in range(count)]
        else:
            values = [self.chance.randrange(-9999, 9999) for _ in range(count)]
        return [struct.pack(f"<{count}{code}", *values)]

    def english(self):
        return ["\n".join(self.chance.choices(self.sentences, k=self.chance.randrange(1, 8))).encode()]

    def compressed(self):
        pack = self.chance.choice([zlib.compress, bz2.compress, lzma.compress])
        return [pack(self.english()[0])]

    def gzipped(self):
        return [gzip.compress(self.english()[0])]


def is_right(kind, tag):
    if kind == "array":
        return tag == "npy" or tag.startswith("ndarray(")
    return tag == kind.split(":")[0]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--count", type=int, default=200, help="of each kind")
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    signal.alarm(600)
    print(f"seed {options.seed}")
    matrix = collections.defaultdict(collections.Counter)
    surely = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        samples = list(Corpus(random.Random(options.seed), folder).samples(options.count))
        capture = record(folder, [[b"t", *frames] for _, frames in samples])
        for (kind, sent), frames in zip(samples, shown(capture, [])):
            frame = frames[-1]
            tag = frame["codec"]
            column = "array" if tag == "npy" or tag.startswith("ndarray(") else tag
            matrix[kind][column + ("?" if frame.get("guess") else "")] += 1
            # Text of no more bytes than a number has is a guess too (TextCodec), and is not marked.
            is_guess = frame.get("guess") or tag == "raw" or tag == "text" and len(sent[-1]) <= 8
            surely += not is_right(kind, tag) and not is_guess
    count = sum(map(sum, (row.values() for row in matrix.values())))
    right = sum(
        number for kind, row in matrix.items() for column, number in row.items()
        if column.rstrip("?") == kind.split(":")[0])
    lines = [f"{count} samples, {right} right ({right / count:.2%}),"
             f" {surely} wrong with high confidence ({surely / count:.2%})"]
    for kind, row in matrix.items():
        lines.append(f"  {kind:16} " + ", ".join(f"{tag} {n}" for tag, n in row.most_common()))
    print("\n".join(lines))
    if options.save:
        path = REPOSITORY / "scripts" / "bench-results" / "detection.txt"
        path.write_text(f"seed {options.seed}, {options.count} of each kind\n" + "\n".join(lines) + "\n")
    if options.check and (right < RIGHT * count or surely > WRONG_SURELY * count):
        sys.exit(3)


if __name__ == "__main__":
    main()
