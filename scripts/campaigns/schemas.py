"""Does zcap show messages of real schemas as the formats' own tools do?

The schemas are those of Foxglove, from PyPI: all of the package for Protocol Buffers, whose messages
are filled by the library and held against `json_format.MessageToDict`, and all of the compiled ones for
FlatBuffers, of which `flatc` makes buffers from JSON and JSON from the buffers. Types are the topics; the
capture keeps the schemas."""

import argparse
import importlib
import json
import pathlib
import pkgutil
import random
import signal
import struct
import subprocess
import sys
import tempfile

import foxglove_schemas_flatbuffer
import foxglove_schemas_protobuf
from google.protobuf import descriptor_pb2, duration_pb2, json_format, timestamp_pb2

import decode
from decode_schemas import Protobuf

SECONDS_MAX = 1200
SHOWN = 5


class FoxgloveProtobuf(Protobuf):
    """Every message of the package."""

    codec = "protobuf"

    def __init__(self, chance, folder):
        self.chance, self.values = chance, decode.decode_dynamic.Values(chance)
        package = foxglove_schemas_protobuf
        modules = [
            importlib.import_module(f"{package.__name__}.{module.name}")
            for module in pkgutil.iter_modules(package.__path__) if module.name.endswith("_pb2")]
        self.types = {
            kind.DESCRIPTOR.full_name: kind
            for module in modules
            for kind in (getattr(module, name) for name in module.DESCRIPTOR.message_types_by_name)}
        files = descriptor_pb2.FileDescriptorSet()
        self.add(files, [module.DESCRIPTOR for module in modules], set())
        self.schemas = [folder / "foxglove.desc"]
        self.schemas[0].write_bytes(files.SerializeToString())

    def add(self, files, descriptors, known):
        """With what they import, that first."""
        for descriptor in descriptors:
            if descriptor.name not in known:
                known.add(descriptor.name)
                self.add(files, descriptor.dependencies, known)
                descriptor.CopyToProto(files.file.add())

    def fill(self, message, depth):
        if isinstance(message, (timestamp_pb2.Timestamp, duration_pb2.Duration)):
            message.seconds = self.chance.randrange(4_000_000_000)
            message.nanos = self.chance.choice([0, 5, 120_000_000, self.chance.randrange(10**9)])
            return
        super().fill(message, depth)
        for field in message.DESCRIPTOR.fields:
            kind = field.message_type
            if kind and kind.full_name.startswith(self.WELL_KNOWN) and self.chance.random() < 0.7:
                times = getattr(message, field.name)
                for part in [times.add() for _ in range(2)] if field.is_repeated else [times]:
                    self.fill(part, depth)

    def samples(self, count):
        for name, kind in sorted(self.types.items()):
            for _ in range(count):
                message = kind()
                self.fill(message, 4)
                yield name, message.SerializeToString(), json_format.MessageToDict(message)

    @staticmethod
    def same(left, right):
        return decode.same(left, right)


class Table:
    """A table of a compiled schema, by the format itself."""

    def __init__(self, data, place):
        self.data, self.place = data, place
        self.vtable = place - struct.unpack_from("<i", data, place)[0]

    def field(self, number):
        size = struct.unpack_from("<H", self.data, self.vtable)[0]
        offset = 0
        if 4 + 2 * number < size:
            offset = struct.unpack_from("<H", self.data, self.vtable + 4 + 2 * number)[0]
        return self.place + offset if offset else None

    def number(self, number, code, default=0):
        place = self.field(number)
        return default if place is None else struct.unpack_from("<" + code, self.data, place)[0]

    def target(self, place):
        return place + struct.unpack_from("<I", self.data, place)[0]

    def text(self, number):
        place = self.target(self.field(number))
        size = struct.unpack_from("<I", self.data, place)[0]
        return self.data[place + 4:place + 4 + size].decode()

    def table(self, number):
        place = self.field(number)
        return None if place is None else Table(self.data, self.target(place))

    def tables(self, number):
        place = self.field(number)
        if place is None:
            return []
        place = self.target(place)
        size = struct.unpack_from("<I", self.data, place)[0]
        return [Table(self.data, self.target(place + 4 + 4 * index)) for index in range(size)]


class FoxgloveFlatBuffers:
    """Every compiled schema of the package that has a root. Numbers as in reflection.fbs."""

    codec = "flatbuffers"
    BOOL, STRING, VECTOR, OBJECT = 2, 13, 14, 15
    WHOLE = {3: (8, True), 4: (8, False), 5: (16, True), 6: (16, False), 7: (32, True), 8: (32, False),
             9: (64, True), 10: (64, False)}

    def __init__(self, chance, folder):
        self.chance, self.folder = chance, folder
        self.schemas = sorted(
            pathlib.Path(foxglove_schemas_flatbuffer.__file__).parent.glob("*.bfbs"))

    def samples(self, count):
        for path in self.schemas:
            data = path.read_bytes()
            schema = Table(data, struct.unpack_from("<I", data)[0])
            root = schema.table(4)
            if root is None:
                # Structs, which others have within them.
                continue
            objects, enums = schema.tables(0), schema.tables(1)
            folder = self.folder / path.stem
            folder.mkdir()
            names = [f"{number}" for number in range(count)]
            for name in names:
                value = self.value(root, objects, enums, 4)
                (folder / f"{name}.json").write_text(json.dumps(value, ensure_ascii=False))
            self.flatc(folder, "--binary", path, *[folder / f"{name}.json" for name in names])
            self.flatc(
                folder, "--json", "--strict-json", "--defaults-json", "--natural-utf8", "--raw-binary",
                path, "--", *[folder / f"{name}.bin" for name in names])
            for name in names:
                shown = json.loads((folder / f"{name}.json").read_text(), parse_float=float)
                yield root.text(0), (folder / f"{name}.bin").read_bytes(), shown

    @staticmethod
    def flatc(folder, *arguments):
        subprocess.run(["flatc", "-o", folder, *arguments], check=True, stdout=subprocess.DEVNULL)

    def value(self, kind, objects, enums, depth):
        """Of a table or a struct, of which every field is there."""
        is_struct = kind.number(2, "B")
        found = {}
        for field in kind.tables(1):
            if is_struct or self.chance.random() < 0.7:
                value = self.part(field.table(1), objects, enums, depth)
                if value is not None:
                    found[field.text(0)] = value
        return found

    def part(self, kind, objects, enums, depth):
        base, element = kind.number(0, "b"), kind.number(1, "b")
        index = kind.number(2, "i", -1)
        if base == self.VECTOR:
            if element == self.OBJECT and depth == 0:
                return None
            parts = [self.single(element, index, objects, enums, depth - 1)
                     for _ in range(self.chance.randrange(4))]
            return None if None in parts else parts
        if base == self.OBJECT and depth == 0 and not objects[index].number(2, "B"):
            return None
        return self.single(base, index, objects, enums, depth - 1)

    def single(self, base, index, objects, enums, depth):
        if base == self.BOOL:
            return self.chance.random() < 0.5
        if base in self.WHOLE and index >= 0:
            return self.chance.choice(enums[index].tables(1)).number(1, "q")
        if base in self.WHOLE:
            bits, is_signed = self.WHOLE[base]
            value = self.chance.getrandbits(self.chance.randrange(1, bits + 1))
            return value - (1 << bits - 1) if is_signed else value
        if base in (11, 12):
            # flatc writes few digits.
            return self.chance.randrange(-4000, 4000) / 8
        if base == self.STRING:
            return "".join(self.chance.choice(["", "a", "naïve", "日本語", "x y"]) for _ in range(3))
        if base == self.OBJECT:
            return self.value(objects[index], objects, enums, depth)
        sys.exit(f"base type {base} is new here")

    @classmethod
    def same(cls, left, right):
        """The order of members is that of the schema here and there, and not the same."""
        if isinstance(left, dict) and isinstance(right, dict):
            return left.keys() == right.keys() and all(
                cls.same(left[key], right[key]) for key in left)
        if isinstance(left, list) and isinstance(right, list):
            return len(left) == len(right) and all(map(cls.same, left, right))
        return decode.same(left, right)


SETS = {"protobuf": FoxgloveProtobuf, "flatbuffers": FoxgloveFlatBuffers}


def prove(name, arguments):
    """Returns how many messages differ."""
    chance = random.Random(f"{arguments.seed}/{name}")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subject = SETS[name](chance, folder)
        samples = list(subject.samples(arguments.count))
        capture = decode.record(folder, [[kind.encode(), data] for kind, data, _ in samples])
        kinds = sorted({kind for kind, _, _ in samples})
        rules = [f"{kind}#1={subject.codec}({kind})" for kind in kinds]
        options = [part for path in subject.schemas for part in ("--schema", path)]
        subprocess.run([decode.ZCAP, "tag", capture, *rules, *options], check=True)
        differences = count = 0
        for (kind, data, wanted), found in zip(samples, decode.shown(capture, [])):
            count += 1
            frame = found[0]
            if "error" not in frame and frame["codec"] == f"{subject.codec}({kind})" and subject.same(
                    frame["value"], wanted):
                continue
            differences += 1
            if differences <= SHOWN:
                print(f"{kind}: {data.hex()[:400]}\n  shown: {json.dumps(frame)[:800]}\n"
                      f"  wanted: {json.dumps(wanted)[:800]}")
        if count != len(samples):
            sys.exit(f"{name}: {count} of {len(samples)} messages were shown")
    print(f"{name}: {len(kinds)} types, {count} messages, {differences} differences")
    return differences


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", action="append", choices=SETS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--count", type=int, default=20)
    arguments = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    signal.alarm(SECONDS_MAX)
    print(f"seed {arguments.seed}")
    differences = [prove(name, arguments) for name in SETS if name in (arguments.only or SETS)]
    sys.exit(3 if any(differences) else 0)


if __name__ == "__main__":
    main()
